#include "adapters/dicom/store_scu.h"

#include <charconv>
#include <set>
#include <utility>

#include "adapters/dicom/held_object.h"
#include "adapters/dicom/object_sender.h"
#include "adapters/dicom/store_status.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/pacs_commitment.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using sync::Delivery;
using sync::OutboxRow;
using sync::RowOutcome;

constexpr unsigned kBreaksMeanTheObject = 3;
constexpr std::size_t kRemembered = 1'000;

struct Outgoing {
  OutboxRow row;
  sync::RetrievedInstance instance;
  bool went_before = false;  // it may be there because of us
};

std::vector<Outgoing> load(sync::Holdings& holdings, const std::string& uplink,
                           const std::vector<OutboxRow>& rows, std::vector<RowOutcome>& outcomes) {
  std::vector<Outgoing> to_send;
  for (const OutboxRow& row : rows) {
    std::int64_t number = 0;
    (void)std::from_chars(row.subject.data(), row.subject.data() + row.subject.size(), number);
    const auto find = [&](crypto::Connection& connection) {
      return sync::outgoing_instance(connection, number,
                                     holdings.options().ingest.patient_id_issuer);
    };
    auto found = holdings.database().read_value<sync::RetrievedInstance>(find);
    const auto was_delivered =
        holdings.database().read_value<bool>([&](crypto::Connection& connection) {
          return sync::was_delivered(connection, number, uplink);
        });
    if (found.ok() && was_delivered.ok()) {
      to_send.push_back({row, std::move(*found), row.perhaps_sent || *was_delivered});
    } else if (found.ok()) {
      outcomes.push_back(ended(row, Delivery::failed, was_delivered.error().message()));
    } else {
      const bool is_gone = found.error().code() == Code::not_found;
      outcomes.push_back(
          ended(row, is_gone ? Delivery::refused : Delivery::failed,
                is_gone ? "the instance is no longer held" : found.error().message()));
    }
  }
  return to_send;
}

/// What the provider's answer, or ours, means for the row.
RowOutcome outcome_of_failure(const Outgoing& outgoing, const ObjectSender& sender) {
  const OutboxRow& row = outgoing.row;
  // Nothing was sent: it cannot be read here, or the peer takes none of its kind.
  if (!sender.status()) return ended(row, Delivery::refused, sender.reason());
  const std::string words = status_words(*sender.status());
  switch (store_answer(*sender.status())) {
    case StoreAnswer::have_it:
      if (outgoing.went_before) return ended(row, Delivery::delivered, "", true);
      return ended(row, Delivery::refused,
                   "the PACS has an object of this UID already, which did not come from here, and "
                   "took ours not; compare the two there");
    case StoreAnswer::try_later:
      return ended(row, Delivery::failed, cat("the PACS could not store it now: ", words));
    default:
      return ended(row, Delivery::refused, cat("the PACS refused it: ", words));
  }
}

class Run {
 public:
  Run(const DicomUplink& uplink, sync::Holdings& holdings, const core::Clock& clock, Breaks& breaks)
      : uplink_(uplink), holdings_(holdings), clock_(clock), breaks_(breaks) {}

  void send(OutgoingAssociation& association, const std::vector<Outgoing>& instances,
            std::vector<RowOutcome>& outcomes) {
    T_ASC_Association* const way = association.handle();
    const int seconds = static_cast<int>(
        std::chrono::duration_cast<std::chrono::seconds>(uplink_.patience).count());
    const auto receive = [&](T_DIMSE_Message& message) {
      T_ASC_PresentationContextID context = 0;
      return association.receive(message, context, seconds).good();
    };
    ObjectSender sender(*way, send_contexts(*way, false), receive, {});
    auto next = instances.begin();
    for (; next != instances.end(); ++next) {
      const auto sent = sender.send(holdings_.objects(), next->instance, dicom_now(clock_));
      if (sent == ObjectSender::Outcome::broken) break;
      breaks_.got_over(next->row.number);
      outcomes.push_back(outcome_of(*next, sent, sender));
    }
    if (next == instances.end()) {
      association.release();
      return;
    }
    outcomes.push_back(outcome_of_break(next->row, sender));
    for (++next; next != instances.end(); ++next)
      outcomes.push_back(ended(next->row, Delivery::unreached, "the connection broke"));
  }

 private:
  RowOutcome outcome_of(const Outgoing& outgoing, ObjectSender::Outcome sent,
                        const ObjectSender& sender) {
    const OutboxRow& row = outgoing.row;
    if (sent == ObjectSender::Outcome::failed) return outcome_of_failure(outgoing, sender);
    if (sent == ObjectSender::Outcome::warned) {
      core::log_warn("sync", cat("uplink ", uplink_.name, ": item ", row.number,
                                 " was stored with a warning: ", sender.reason()));
    }
    return ended(row, Delivery::delivered, "");
  }

  RowOutcome outcome_of_break(const OutboxRow& row, const ObjectSender& sender) {
    const std::string why =
        sender.reason().empty() ? "the connection broke while it was sent" : sender.reason();
    if (!breaks_.broke_at(row.number)) return ended(row, Delivery::lost, why);
    return ended(row, Delivery::failed, cat(why, ", as it did each time it was sent"));
  }

  const DicomUplink& uplink_;
  sync::Holdings& holdings_;
  const core::Clock& clock_;
  Breaks& breaks_;
};

}  // namespace

bool Breaks::broke_at(std::int64_t row) {
  const std::lock_guard lock(mutex_);
  if (times_.size() >= kRemembered) times_.clear();
  return ++times_[row] >= kBreaksMeanTheObject;
}

void Breaks::got_over(std::int64_t row) {
  const std::lock_guard lock(mutex_);
  times_.erase(row);
}

std::vector<RowOutcome> store_rows(const DicomUplink& uplink, sync::Holdings& holdings,
                                   const core::Clock& clock, Line& line, Breaks& breaks,
                                   const std::vector<OutboxRow>& rows) {
  std::vector<RowOutcome> outcomes;
  const std::vector<Outgoing> instances = load(holdings, uplink.name, rows, outcomes);
  if (instances.empty()) return outcomes;
  std::set<sync::ArchiveSyntax> held;
  for (const Outgoing& one : instances)
    held.insert({one.instance.instance.sop_class_uid, one.instance.instance.transfer_syntax_uid});
  const auto association = OutgoingAssociation::open(line, uplink.to(), uplink.calling_title,
                                                     uplink.peer.ae_title, store_proposals(held));
  if (!association.ok()) {
    for (const Outgoing& one : instances)
      outcomes.push_back(ended(one.row, Delivery::unreached, association.error().message()));
    return outcomes;
  }
  Run(uplink, holdings, clock, breaks).send(**association, instances, outcomes);
  return outcomes;
}

}  // namespace gateway::adapters::dicom
