#include "adapters/dicom/user_identity.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dcuserid.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

/// DCMTK hands out copies, of which it says the length.
class Field {
 public:
  template <class Get>
  explicit Field(Get get) {
    char* text = nullptr;
    get(text, size_);
    text_.reset(text);
  }
  ~Field() {
    volatile char* const text = text_.get();
    for (std::size_t at = 0; text != nullptr && at < size_; ++at) text[at] = 0;
  }
  Field(const Field&) = delete;
  Field& operator=(const Field&) = delete;
  std::string_view text() const {
    return text_ ? std::string_view(text_.get(), size_) : std::string_view();
  }

 private:
  std::unique_ptr<char[]> text_;
  Uint16 size_ = 0;
};

UserIdentity::Kind kind_of(T_ASC_UserIdentityNegotiationMode mode) {
  switch (mode) {
    case ASC_USER_IDENTITY_NONE:
      return UserIdentity::Kind::none;
    case ASC_USER_IDENTITY_USER:
      return UserIdentity::Kind::name;
    case ASC_USER_IDENTITY_USER_PASSWORD:
      return UserIdentity::Kind::name_and_passcode;
    default:
      return UserIdentity::Kind::other;
  }
}

core::Result<bool> is_user(const UserIdentity& identity, const DicomUser& user) {
  if (identity.username != user.username) return false;
  if (user.passcode_file.empty()) return true;
  if (identity.kind != UserIdentity::Kind::name_and_passcode) return false;
  const auto passcode = core::read_secret_file(user.passcode_file);
  if (!passcode.ok()) {
    return core::Error(core::Code::unavailable,
                       core::cat("dicom.user.", user.name, ": ", passcode.error().message()));
  }
  return crypto::same_secret(crypto::Secret::copy_of(*passcode), identity.passcode);
}

}  // namespace

UserIdentity user_identity_of(T_ASC_Parameters& parameters) {
  UserIdentity identity;
  UserIdentityNegotiationSubItemRQ* request = nullptr;
  ASC_getUserIdentRQ(&parameters, &request);
  if (request == nullptr) return identity;
  identity.kind = kind_of(request->getIdentityType());
  const Field first([request](char*& text, Uint16& size) { request->getPrimField(text, size); });
  const Field second([request](char*& text, Uint16& size) { request->getSecField(text, size); });
  identity.username = first.text();
  if (!second.text().empty()) identity.passcode = crypto::Secret::copy_of(second.text());
  return identity;
}

void confirm_user_identity(T_ASC_Parameters& parameters) {
  UserIdentityNegotiationSubItemRQ* request = nullptr;
  ASC_getUserIdentRQ(&parameters, &request);
  if (request == nullptr || !request->isPosResponseRequested()) return;
  // DCMTK declares a function for this and has none. The parameters own and delete the item, whose
  // answer is empty for names and passcodes (PS3.7 D.3.3.7.2).
  auto& answer = parameters.DULparams.ackUserIdentNeg;
  if (answer == nullptr) answer = new UserIdentityNegotiationSubItemAC();
}

core::Result<bool> is_one_of(const UserIdentity& identity, std::span<const DicomUser> users,
                             const std::vector<std::string>& names) {
  using Kind = UserIdentity::Kind;
  if (identity.kind == Kind::none || identity.kind == Kind::other) return false;
  std::optional<core::Error> unreadable;
  for (const DicomUser& user : users) {
    if (std::find(names.begin(), names.end(), user.name) == names.end()) continue;
    const auto fits = is_user(identity, user);
    if (fits.ok() && *fits) return true;
    if (!fits.ok()) unreadable = fits.error();
  }
  if (unreadable) return std::move(*unreadable);
  return false;
}

}  // namespace gateway::adapters::dicom
