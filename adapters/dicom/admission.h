// Who may open an association, over what, and for what: the settings' peers, and the callers a
// person approved. Refusals are for the A-ASSOCIATE-RJ (PS3.8 9.3.4) and one line in the log.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/dicom/association.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/guess_brake.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

struct Caller {
  std::string calling_title;  // without padding; may be empty
  std::string called_title;
  std::string address;
  bool is_encrypted = false;
  UserIdentity user = {};
};

/// Thread-safe.
class Admission {
 public:
  Admission(const DicomOptions& options, const sync::HoldingsDoor& door, const core::Clock& clock)
      : options_(options), door_(door), clock_(clock) {}

  /// Held as long as the association lives: it counts against what its peer may have at once.
  class Place {
   public:
    Place() = default;
    Place(Admission& admission, std::string peer)
        : admission_(&admission), peer_(std::move(peer)) {}
    ~Place();
    Place(Place&& other) noexcept;
    Place& operator=(Place&& other) noexcept;

   private:
    Admission* admission_ = nullptr;
    std::string peer_;
  };

  struct Decision {
    bool is_admitted = false;
    Rights rights;
    std::string character_set;   // of the peer
    bool is_user_known = false;  // it was asked who is using it, and gave a good answer
    Place place;
    Rejection rejection = Rejection::not_allowed;
    std::string why;  // of a refusal, and what to do about it
  };
  Decision decide(const Caller& caller);

 private:
  Decision admit(const DicomPeer* peer, const Caller& caller);
  /// Whether it is one of the users that are asked for; else why it is refused.
  std::optional<Decision> refusal_of_user(const Caller& caller,
                                          const std::vector<std::string>& asked,
                                          const std::string& asked_in);
  Decision decide_on_stranger(const Caller& caller);
  Decision refuse_stranger(sync::Holdings& holdings, const Caller& caller,
                           const std::string& last_noted);
  bool take_place(const DicomPeer& peer);
  void leave(const std::string& peer);

  const DicomOptions& options_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::size_t> open_;  // by peer's name, where not 0
  GuessBrake brake_;                         // under mutex_ too
};

}  // namespace gateway::adapters::dicom
