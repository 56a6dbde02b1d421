#include "crypto/slot_kinds.h"

namespace gateway::crypto {
namespace {

struct KindName {
  const char* operator()(const Passphrase&) const { return "passphrase"; }
  const char* operator()(const CredentialSecret&) const { return "credential"; }
  const char* operator()(const TangSecret&) const { return "tang"; }
  const char* operator()(const RecoveryCode&) const { return "recovery"; }
  const char* operator()(const EscrowKey&) const { return "escrow"; }
};

struct Cloning {
  SlotOpener operator()(const Passphrase& opener) const { return Passphrase{opener.text.clone()}; }
  SlotOpener operator()(const CredentialSecret& opener) const {
    return CredentialSecret{opener.bytes.clone()};
  }
  SlotOpener operator()(const TangSecret& opener) const { return TangSecret{opener.bytes.clone()}; }
  SlotOpener operator()(const RecoveryCode& opener) const {
    return RecoveryCode{opener.bits.clone()};
  }
  SlotOpener operator()(const EscrowKey& opener) const { return EscrowKey{opener.bytes.clone()}; }
};

}  // namespace

std::string kind_of(const SlotOpener& opener) { return std::visit(KindName(), opener); }

SlotOpener clone(const SlotOpener& opener) { return std::visit(Cloning(), opener); }

}  // namespace gateway::crypto
