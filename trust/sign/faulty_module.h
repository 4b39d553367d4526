// A PKCS#11 module around SoftHSM2 whose calls fail, hang or lie when told so. For tests.
//
// The test loads the module as the signer does, and finds these functions in it by their names.
#pragma once

extern "C" {
// The next `times` calls of this name give `code` instead of doing anything.
using PawlFault = void(const char* call, unsigned long code, int times);
void pawl_fault(const char* call, unsigned long code, int times);
// While true, C_Sign does not come back.
using PawlHang = void(bool hang);
void pawl_hang(bool hang);
// While true, C_Sign gives another signature than the token's.
using PawlLie = void(bool lie);
void pawl_lie(bool lie);
}
