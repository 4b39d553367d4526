#include "trust/sign/faulty_module.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <condition_variable>
#include <mutex>
#include <string>

namespace {

CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST faulty;

std::mutex mutex;
std::condition_variable changed;
std::string fault_call;
CK_RV fault_code = CKR_OK;
int fault_times = 0;
bool hanging = false;
bool lying = false;

CK_RV Fault(const char* call) {
  const std::scoped_lock lock(mutex);
  if (fault_times == 0 || fault_call != call) return CKR_OK;
  --fault_times;
  return fault_code;
}

template <auto kMember>
struct Call;
template <class... Arguments, CK_RV (*CK_FUNCTION_LIST::*kMember)(Arguments...)>
struct Call<kMember> {
  static inline const char* name = nullptr;
  static CK_RV Do(Arguments... arguments) {
    const CK_RV fault = Fault(name);
    return fault != CKR_OK ? fault : (real->*kMember)(arguments...);
  }
};

CK_RV Sign(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* signature, CK_ULONG* signature_size) {
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [] { return !hanging; });
  }
  const CK_RV fault = Fault("C_Sign");
  if (fault != CKR_OK) return fault;
  const CK_RV result = real->C_Sign(session, data, size, signature, signature_size);
  const std::scoped_lock lock(mutex);
  if (lying && result == CKR_OK) signature[0] ^= 1;
  return result;
}

}  // namespace

void pawl_fault(const char* call, unsigned long code, int times) {
  const std::scoped_lock lock(mutex);
  fault_call = call;
  fault_code = code;
  fault_times = times;
}

void pawl_hang(bool hang) {
  const std::scoped_lock lock(mutex);
  hanging = hang;
  changed.notify_all();
}

void pawl_lie(bool lie) {
  const std::scoped_lock lock(mutex);
  lying = lie;
}

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  void* library = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  const CK_RV result = get(&real);
  if (result != CKR_OK) return result;
  faulty = *real;
#define PAWL_FAULTY(function)                          \
  Call<&CK_FUNCTION_LIST::function>::name = #function; \
  faulty.function = Call<&CK_FUNCTION_LIST::function>::Do
  PAWL_FAULTY(C_Initialize);
  PAWL_FAULTY(C_GetSlotList);
  PAWL_FAULTY(C_GetTokenInfo);
  PAWL_FAULTY(C_OpenSession);
  PAWL_FAULTY(C_Login);
  PAWL_FAULTY(C_FindObjectsInit);
  PAWL_FAULTY(C_FindObjects);
  PAWL_FAULTY(C_FindObjectsFinal);
  PAWL_FAULTY(C_GetAttributeValue);
  PAWL_FAULTY(C_SignInit);
#undef PAWL_FAULTY
  faulty.C_Sign = Sign;
  *list = &faulty;
  return CKR_OK;
}
