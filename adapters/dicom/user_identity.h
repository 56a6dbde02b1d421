// Who a caller says is using it (user identity negotiation, PS3.7 D.3.3.7): a user name, alone or
// with a passcode. Tickets and assertions (Kerberos, SAML, JWT) are not checked and count as
// nobody. Neither is ever logged: people type a passcode where the name belongs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "adapters/dicom/dicom_options.h"
#include "core/result.h"
#include "crypto/secret.h"

struct T_ASC_Parameters;

namespace gateway::adapters::dicom {

struct UserIdentity {
  enum class Kind { none, name, name_and_passcode, other } kind = Kind::none;
  std::string username;
  crypto::Secret passcode;
};

/// Of the A-ASSOCIATE-RQ.
UserIdentity user_identity_of(T_ASC_Parameters& parameters);

/// Says in the A-ASSOCIATE-AC that the identity was accepted, if the request asks to be told.
void confirm_user_identity(T_ASC_Parameters& parameters);

/// Whether it is one of `users`, of whom those in `names` count. A user who has a passcode needs
/// it. Code::unavailable: a passcode's file cannot be read, and nobody else fits. Reads files.
core::Result<bool> is_one_of(const UserIdentity& identity, std::span<const DicomUser> users,
                             const std::vector<std::string>& names);

}  // namespace gateway::adapters::dicom
