#include "adapters/dicom/admission.h"

#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/dicom_callers.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

// A device that calls every second costs one write a minute.
constexpr std::chrono::minutes kNoteEvery{1};

Admission::Decision refused(Rejection rejection, std::string why) {
  Admission::Decision decision;
  decision.rejection = rejection;
  decision.why = std::move(why);
  return decision;
}

sync::DicomCaller record_of(const Caller& caller) {
  return {caller.calling_title, caller.address, caller.is_encrypted, caller.called_title};
}

}  // namespace

Admission::Place::~Place() {
  if (admission_ != nullptr) admission_->leave(peer_);
}
Admission::Place::Place(Place&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)), peer_(std::move(other.peer_)) {}
Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
  std::swap(admission_, other.admission_);
  std::swap(peer_, other.peer_);
  return *this;
}

Admission::Decision Admission::decide(const Caller& caller) {
  if (!answers_to(options_, caller.called_title)) {
    return refused(Rejection::called_title_unknown,
                   cat("it called AE title \"", caller.called_title, "\", this gateway is \"",
                       options_.ae_title, "\"; set that in the device, or dicom.ae_title here"));
  }
  const DicomPeer* peer = find_peer(options_, caller.calling_title, caller.address);
  if (peer == nullptr && options_.strangers != Strangers::welcome)
    return decide_on_stranger(caller);
  const bool needs_tls = options_.has_tls() && !(peer != nullptr && peer->is_plain_allowed);
  if (needs_tls && !caller.is_encrypted) {
    return refused(Rejection::not_allowed,
                   cat("it called without TLS; set TLS and port ", options_.tls_port,
                       " in the device, or list it in [dicom.peer.NAME] with plain = true"));
  }
  return admit(peer, caller);
}

std::optional<Admission::Decision> Admission::refusal_of_user(const Caller& caller,
                                                              const std::vector<std::string>& asked,
                                                              const std::string& asked_in) {
  const core::Monotonic now = clock_.monotonic();
  {
    const std::lock_guard lock(mutex_);
    if (const auto wait = brake_.wait_of(caller.address, now)) {
      return refused(Rejection::not_at_the_moment,
                     cat("too many wrong users or passcodes came from ", caller.address,
                         "; the next one is looked at in ",
                         std::chrono::ceil<std::chrono::seconds>(*wait).count(), " s"));
    }
  }
  const auto is_known = is_one_of(caller.user, options_.users, asked);
  if (!is_known.ok()) return refused(Rejection::not_at_the_moment, is_known.error().message());
  const bool says_nobody = caller.user.kind == UserIdentity::Kind::none;
  const std::lock_guard lock(mutex_);
  if (*is_known) {
    brake_.was_right(caller.address);
    return std::nullopt;
  }
  if (!says_nobody) brake_.was_wrong(caller.address, now);
  return refused(Rejection::user_unknown,
                 cat(says_nobody ? "it does not say which user it is"
                                 : "it says that it is a user who is not known, or with another "
                                   "passcode",
                     "; see ", asked_in));
}

Admission::Decision Admission::admit(const DicomPeer* peer, const Caller& caller) {
  const bool has_own_users = peer != nullptr && !peer->users.empty();
  const std::vector<std::string>& asked = has_own_users ? peer->users : options_.asked_users;
  if (!asked.empty()) {
    auto refusal = refusal_of_user(
        caller, asked, has_own_users ? cat("dicom.peer.", peer->name, ".users") : "dicom.users");
    if (refusal) return std::move(*refusal);
  }
  Decision decision;
  decision.is_user_known = !asked.empty();
  if (peer != nullptr) {
    if (!take_place(*peer)) {
      return refused(Rejection::limit_exceeded,
                     cat("dicom.peer.", peer->name, ".max_associations (", peer->associations_max,
                         ") were open"));
    }
    decision.place = Place(*this, peer->name);
    decision.rights = peer->rights;
    decision.character_set = peer->character_set;
  }
  decision.is_admitted = true;
  return decision;
}

Admission::Decision Admission::decide_on_stranger(const Caller& caller) {
  const std::shared_ptr<sync::Holdings> holdings = door_.get();
  if (!holdings) {
    return refused(Rejection::not_at_the_moment,
                   "it is not in the settings, and while the gateway is locked it is not known "
                   "whether it was approved");
  }
  const auto known =
      holdings->database().read_value<sync::KnownCaller>([&](crypto::Connection& connection) {
        return sync::look_up_caller(connection, record_of(caller));
      });
  if (!known.ok()) return refused(Rejection::not_at_the_moment, known.error().message());
  if (known->state == sync::CallerState::approved) return admit(nullptr, caller);
  return refuse_stranger(*holdings, caller, known->last_at);
}

Admission::Decision Admission::refuse_stranger(sync::Holdings& holdings, const Caller& caller,
                                               const std::string& last_noted) {
  if (options_.strangers == Strangers::refused) {
    return refused(Rejection::calling_title_unknown,
                   "it is not known; list it in [dicom.peer.NAME]");
  }
  const core::Wall now = clock_.wall();
  if (last_noted.empty() || last_noted <= core::to_instant(now - kNoteEvery)) {
    const core::Status noted = holdings.database().write([&](crypto::Connection& connection) {
      return sync::note_caller(connection, record_of(caller), core::to_instant(now));
    });
    if (!noted.ok()) {
      core::log_error("dicom",
                      cat("an unknown caller was not recorded: ", noted.error().message()));
    }
  }
  return refused(Rejection::calling_title_unknown,
                 cat("it is not known; clinic-gateway peers approve \"", caller.calling_title,
                     "\" lets it in"));
}

bool Admission::take_place(const DicomPeer& peer) {
  const std::lock_guard lock(mutex_);
  std::size_t& open = open_[peer.name];
  if (open >= peer.associations_max) return false;
  ++open;
  return true;
}

void Admission::leave(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  if (--open_[peer] == 0) open_.erase(peer);
}

}  // namespace gateway::adapters::dicom
