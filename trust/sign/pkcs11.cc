#include "trust/sign/pkcs11.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace pawl::sign {
namespace {

constexpr unsigned long kMaxSlots = 64;

// DER of the OID 1.2.840.10045.3.1.7: P-256.
constexpr std::array<std::uint8_t, 10> kP256Parameters = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

Reason ReasonOf(CK_RV code) {
  switch (code) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
      return Reason::kUnauthenticated;
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
      return Reason::kUnavailable;
    default:
      return Reason::kHsm;
  }
}

Status Check(CK_RV code, std::string_view call) {
  if (code == CKR_OK) return {};
  BoundedText<240> detail("HSM: ");
  detail.append(call).append(" gave ").append(Pkcs11CodeName(code));
  return Fail(ReasonOf(code), detail);
}

CK_UTF8CHAR* Text(std::string_view text) {
  // PKCS#11 2.40 takes its inputs without const.
  return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(text.data()));
}

template <class T>
CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof value};
}
CK_ATTRIBUTE TextAttribute(CK_ATTRIBUTE_TYPE type, std::string_view text) { return {type, Text(text), text.size()}; }

// Labels of tokens are padded with blanks to 32 bytes.
std::array<CK_UTF8CHAR, 32> PaddedLabel(std::string_view label) {
  std::array<CK_UTF8CHAR, 32> padded;
  padded.fill(' ');
  std::copy_n(label.begin(), std::min(label.size(), padded.size()), padded.begin());
  return padded;
}

BoundedText<240> Quoted(std::string_view before, std::string_view name, std::string_view after) {
  return BoundedText<240>(before).append(" \"").append(name).append("\"").append(after);
}

}  // namespace

std::string Pkcs11CodeName(unsigned long code) {
  struct Entry {
    CK_RV code;
    const char* name;
  };
#define PAWL_CKR(name) {name, #name}
  static constexpr Entry kNames[] = {PAWL_CKR(CKR_HOST_MEMORY),
                                     PAWL_CKR(CKR_SLOT_ID_INVALID),
                                     PAWL_CKR(CKR_GENERAL_ERROR),
                                     PAWL_CKR(CKR_FUNCTION_FAILED),
                                     PAWL_CKR(CKR_ARGUMENTS_BAD),
                                     PAWL_CKR(CKR_ATTRIBUTE_SENSITIVE),
                                     PAWL_CKR(CKR_ATTRIBUTE_TYPE_INVALID),
                                     PAWL_CKR(CKR_ATTRIBUTE_VALUE_INVALID),
                                     PAWL_CKR(CKR_DEVICE_ERROR),
                                     PAWL_CKR(CKR_DEVICE_MEMORY),
                                     PAWL_CKR(CKR_DEVICE_REMOVED),
                                     PAWL_CKR(CKR_FUNCTION_NOT_SUPPORTED),
                                     PAWL_CKR(CKR_KEY_HANDLE_INVALID),
                                     PAWL_CKR(CKR_KEY_TYPE_INCONSISTENT),
                                     PAWL_CKR(CKR_KEY_FUNCTION_NOT_PERMITTED),
                                     PAWL_CKR(CKR_MECHANISM_INVALID),
                                     PAWL_CKR(CKR_MECHANISM_PARAM_INVALID),
                                     PAWL_CKR(CKR_OBJECT_HANDLE_INVALID),
                                     PAWL_CKR(CKR_OPERATION_ACTIVE),
                                     PAWL_CKR(CKR_OPERATION_NOT_INITIALIZED),
                                     PAWL_CKR(CKR_PIN_INCORRECT),
                                     PAWL_CKR(CKR_PIN_INVALID),
                                     PAWL_CKR(CKR_PIN_LEN_RANGE),
                                     PAWL_CKR(CKR_PIN_EXPIRED),
                                     PAWL_CKR(CKR_PIN_LOCKED),
                                     PAWL_CKR(CKR_SESSION_CLOSED),
                                     PAWL_CKR(CKR_SESSION_COUNT),
                                     PAWL_CKR(CKR_SESSION_HANDLE_INVALID),
                                     PAWL_CKR(CKR_SESSION_READ_ONLY),
                                     PAWL_CKR(CKR_TEMPLATE_INCOMPLETE),
                                     PAWL_CKR(CKR_TEMPLATE_INCONSISTENT),
                                     PAWL_CKR(CKR_TOKEN_NOT_PRESENT),
                                     PAWL_CKR(CKR_TOKEN_NOT_RECOGNIZED),
                                     PAWL_CKR(CKR_TOKEN_WRITE_PROTECTED),
                                     PAWL_CKR(CKR_USER_ALREADY_LOGGED_IN),
                                     PAWL_CKR(CKR_USER_NOT_LOGGED_IN),
                                     PAWL_CKR(CKR_USER_PIN_NOT_INITIALIZED),
                                     PAWL_CKR(CKR_USER_TYPE_INVALID),
                                     PAWL_CKR(CKR_BUFFER_TOO_SMALL),
                                     PAWL_CKR(CKR_CRYPTOKI_NOT_INITIALIZED),
                                     PAWL_CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED)};
#undef PAWL_CKR
  for (const Entry& entry : kNames) {
    if (entry.code == code) return entry.name;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0x%08lx", code);
  return text.data();
}

struct Pkcs11::Module {
  ~Module() { dlclose(library); }
  void* library;
  CK_FUNCTION_LIST* call;
};

Pkcs11::Pkcs11(std::unique_ptr<Module> module) : module_(std::move(module)) {}
Pkcs11::~Pkcs11() { Close(); }

Result<std::unique_ptr<Pkcs11>> Pkcs11::Load(const std::string& module_path) {
  void* library = dlopen(module_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Fail(Reason::kUnavailable, BoundedText<240>("HSM: the PKCS#11 module does not load: ").append(dlerror()));
  }
  auto module = std::unique_ptr<Module>(new Module{library, nullptr});
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) return Fail(Reason::kHsm, Quoted("HSM: no PKCS#11 module:", module_path, ""));
  PAWL_TRY(Check(get(&module->call), "C_GetFunctionList"));
  return std::unique_ptr<Pkcs11>(new Pkcs11(std::move(module)));
}

Status Pkcs11::Initialise() {
  Close();
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  PAWL_TRY(Check(module_->call->C_Initialize(&arguments), "C_Initialize"));
  initialised_ = true;
  return {};
}

Status Pkcs11::Open(std::string_view token_label, std::string_view pin) {
  PAWL_TRY(Initialise());
  Status opened = OpenSession(token_label, false);
  if (opened) opened = Login(CKU_USER, pin);
  if (!opened) Close();
  return opened;
}

void Pkcs11::Close() {
  // What fails here fails because the HSM is away: there is nothing left to do.
  if (session_open_) module_->call->C_CloseSession(session_);
  if (initialised_) module_->call->C_Finalize(nullptr);
  session_open_ = false;
  initialised_ = false;
}

Result<unsigned long> Pkcs11::FindToken(std::string_view token_label) {
  std::array<CK_SLOT_ID, kMaxSlots> slots{};
  CK_ULONG count = slots.size();
  PAWL_TRY(Check(module_->call->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList"));
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (module_->call->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;  // another token's trouble
    const bool initialised = (info.flags & CKF_TOKEN_INITIALIZED) != 0;
    if (initialised && std::ranges::equal(info.label, PaddedLabel(token_label))) return slots[i];
  }
  return Fail(Reason::kUnavailable, Quoted("HSM: no token labelled", token_label, " (C_GetSlotList, C_GetTokenInfo)"));
}

Status Pkcs11::OpenSession(std::string_view token_label, bool writable) {
  PAWL_ASSIGN(const CK_SLOT_ID slot, FindToken(token_label));
  const CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
  PAWL_TRY(Check(module_->call->C_OpenSession(slot, flags, nullptr, nullptr, &session_), "C_OpenSession"));
  session_open_ = true;
  return {};
}

Status Pkcs11::Login(unsigned long user, std::string_view pin) {
  return Check(module_->call->C_Login(session_, user, Text(pin), pin.size()), "C_Login");
}

Status Pkcs11::CreateToken(std::string_view token_label, std::string_view security_officer_pin, std::string_view pin) {
  PAWL_TRY(Initialise());
  // SoftHSM always offers one slot with a token that is not initialised: its last.
  std::array<CK_SLOT_ID, kMaxSlots> slots{};
  CK_ULONG count = slots.size();
  PAWL_TRY(Check(module_->call->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList"));
  if (count == 0) return Fail(Reason::kHsm, "HSM: C_GetSlotList gave no slot");
  std::array<CK_UTF8CHAR, 32> label = PaddedLabel(token_label);
  PAWL_TRY(Check(module_->call->C_InitToken(slots[count - 1], Text(security_officer_pin), security_officer_pin.size(),
                                            label.data()),
                 "C_InitToken"));
  PAWL_TRY(OpenSession(token_label, true));
  PAWL_TRY(Login(CKU_SO, security_officer_pin));
  PAWL_TRY(Check(module_->call->C_InitPIN(session_, Text(pin), pin.size()), "C_InitPIN"));
  PAWL_TRY(Check(module_->call->C_Logout(session_), "C_Logout"));
  return Login(CKU_USER, pin);
}

Status Pkcs11::GenerateKey(std::string_view label) {
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  std::array<std::uint8_t, kP256Parameters.size()> curve = kP256Parameters;
  CK_ATTRIBUTE public_attributes[] = {TextAttribute(CKA_LABEL, label), Attribute(CKA_TOKEN, yes),
                                      Attribute(CKA_PRIVATE, no), Attribute(CKA_VERIFY, yes),
                                      Attribute(CKA_EC_PARAMS, curve)};
  CK_ATTRIBUTE private_attributes[] = {TextAttribute(CKA_LABEL, label), Attribute(CKA_TOKEN, yes),
                                       Attribute(CKA_PRIVATE, yes),     Attribute(CKA_SENSITIVE, yes),
                                       Attribute(CKA_EXTRACTABLE, no),  Attribute(CKA_SIGN, yes),
                                       Attribute(CKA_DECRYPT, no),      Attribute(CKA_UNWRAP, no),
                                       Attribute(CKA_DERIVE, no),       Attribute(CKA_MODIFIABLE, no)};
  CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_OBJECT_HANDLE public_handle = 0;
  CK_OBJECT_HANDLE private_handle = 0;
  return Check(module_->call->C_GenerateKeyPair(session_, &mechanism, public_attributes, std::size(public_attributes),
                                                private_attributes, std::size(private_attributes), &public_handle,
                                                &private_handle),
               "C_GenerateKeyPair");
}

Result<unsigned long> Pkcs11::FindOne(unsigned long object_class, std::string_view label) {
  CK_OBJECT_CLASS wanted = object_class;
  CK_KEY_TYPE type = CKK_EC;
  CK_ATTRIBUTE attributes[] = {Attribute(CKA_CLASS, wanted), Attribute(CKA_KEY_TYPE, type),
                               TextAttribute(CKA_LABEL, label)};
  PAWL_TRY(Check(module_->call->C_FindObjectsInit(session_, attributes, std::size(attributes)), "C_FindObjectsInit"));
  std::array<CK_OBJECT_HANDLE, 2> found{};
  CK_ULONG count = 0;
  const Status searched =
      Check(module_->call->C_FindObjects(session_, found.data(), found.size(), &count), "C_FindObjects");
  PAWL_TRY(Check(module_->call->C_FindObjectsFinal(session_), "C_FindObjectsFinal"));
  PAWL_TRY(searched);
  const std::string_view kind = object_class == CKO_PRIVATE_KEY ? "private EC key" : "public EC key";
  if (count == 1) return found[0];
  const BoundedText<240> what = BoundedText<240>("HSM: ").append(count == 0 ? "no " : "more than one ").append(kind);
  return Fail(count == 0 ? Reason::kNotFound : Reason::kConflict, Quoted(what.view(), label, " on the token"));
}

Result<PublicKey> Pkcs11::ReadPublicKey(unsigned long handle, std::string_view label) {
  std::array<std::uint8_t, 128> point{};
  CK_ATTRIBUTE attribute = Attribute(CKA_EC_POINT, point);
  PAWL_TRY(Check(module_->call->C_GetAttributeValue(session_, handle, &attribute, 1), "C_GetAttributeValue"));
  ByteView bytes = ByteView(point).first(std::min<std::size_t>(attribute.ulValueLen, point.size()));
  // As PKCS#11 has it, an OCTET STRING around the point; some modules give the bare point.
  if (bytes.size() == 67 && bytes[0] == 0x04 && bytes[1] == 65) bytes = bytes.subspan(2);
  PublicKey key;
  if (bytes.size() != key.size() || bytes[0] != 0x04) {
    return Fail(Reason::kHsm, Quoted("HSM: the public key", label, " is no P-256 point"));
  }
  std::ranges::copy(bytes, key.begin());
  return key;
}

Status Pkcs11::RequireNotExtractable(unsigned long handle, std::string_view label) {
  CK_BBOOL sensitive = CK_FALSE;
  CK_BBOOL extractable = CK_TRUE;
  CK_ATTRIBUTE attributes[] = {Attribute(CKA_SENSITIVE, sensitive), Attribute(CKA_EXTRACTABLE, extractable)};
  PAWL_TRY(Check(module_->call->C_GetAttributeValue(session_, handle, attributes, 2), "C_GetAttributeValue"));
  if (sensitive == CK_TRUE && extractable == CK_FALSE) return {};
  return Fail(Reason::kConflict, Quoted("HSM: the private key", label, " is extractable or not sensitive"));
}

Result<Pkcs11::KeyPair> Pkcs11::FindKey(std::string_view label) {
  KeyPair pair;
  PAWL_ASSIGN(pair.private_handle, FindOne(CKO_PRIVATE_KEY, label));
  PAWL_TRY(RequireNotExtractable(pair.private_handle, label));
  PAWL_ASSIGN(const unsigned long public_handle, FindOne(CKO_PUBLIC_KEY, label));
  PAWL_ASSIGN(pair.public_key, ReadPublicKey(public_handle, label));
  return pair;
}

Result<Signature> Pkcs11::Sign(const KeyPair& key, const Digest& digest) {
  CK_MECHANISM mechanism = {CKM_ECDSA, nullptr, 0};
  PAWL_TRY(Check(module_->call->C_SignInit(session_, &mechanism, key.private_handle), "C_SignInit"));
  Digest input = digest;
  Signature signature{};
  CK_ULONG size = signature.size();
  PAWL_TRY(Check(module_->call->C_Sign(session_, input.data(), input.size(), signature.data(), &size), "C_Sign"));
  if (size != signature.size()) return Fail(Reason::kHsm, "HSM: C_Sign gave a signature that is not 64 bytes long");
  return signature;
}

}  // namespace pawl::sign
