#include "adapters/dicom/commitment_reporter.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "adapters/dicom/n_answer.h"
#include "adapters/dicom/outgoing_association.h"
#include "core/log.h"
#include "core/pattern.h"
#include "core/text.h"
#include "sync/commitment.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;
using sync::CommitmentReport;

constexpr core::Milliseconds kLookEvery{1'000};
constexpr core::Milliseconds kFirstWait{5'000};
constexpr core::Milliseconds kLongestWait{600'000};
constexpr std::chrono::hours kForgetAfter{24 * 30};
constexpr DIC_US kAllCommitted = 1;  // event types, PS3.4 J.3.3.1.1
constexpr DIC_US kSomeFailed = 2;

void put_item(DcmDataset& data_set, const DcmTagKey& sequence,
              const CommitmentReport::Verdict& verdict) {
  DcmItem* item = nullptr;
  constexpr long kAppend = -2;
  if (data_set.findOrCreateSequenceItem(sequence, item, kAppend).bad()) return;
  (void)item->putAndInsertString(DCM_ReferencedSOPClassUID, verdict.item.sop_class_uid.c_str());
  (void)item->putAndInsertString(DCM_ReferencedSOPInstanceUID,
                                 verdict.item.sop_instance_uid.c_str());
  if (verdict.reason != 0) (void)item->putAndInsertUint16(DCM_FailureReason, verdict.reason);
}

bool has_failure(const CommitmentReport& report) {
  return std::ranges::any_of(report.verdicts, [](const auto& verdict) { return verdict.reason; });
}

/// PS3.4 table J.3-2.
std::unique_ptr<DcmDataset> event_information(const CommitmentReport& report) {
  auto data_set = std::make_unique<DcmDataset>();
  (void)data_set->putAndInsertString(DCM_TransactionUID, report.transaction_uid.c_str());
  (void)data_set->putAndInsertString(DCM_RetrieveAETitle, report.called_ae_title.c_str());
  for (const auto& verdict : report.verdicts) {
    put_item(*data_set, verdict.reason == 0 ? DCM_ReferencedSOPSequence : DCM_FailedSOPSequence,
             verdict);
  }
  return data_set;
}

constexpr char kService[] = UID_StorageCommitmentPushModelSOPClass;

/// One association of ours to a modality.
class Call {
 public:
  explicit Call(OutgoingAssociation& association)
      : outgoing_(association), association_(association.handle()) {}

  core::Status tell(const CommitmentReport& report) {
    const T_ASC_PresentationContextID context =
        ASC_findAcceptedPresentationContextID(association_, UID_StorageCommitmentPushModelSOPClass);
    if (context == 0)
      return Error(Code::refused, "it does not take storage commitment reports from us");
    T_DIMSE_Message message{};
    message.CommandField = DIMSE_N_EVENT_REPORT_RQ;
    T_DIMSE_N_EventReportRQ& request = message.msg.NEventReportRQ;
    request.MessageID = association_->nextMsgID++;
    request.EventTypeID = has_failure(report) ? kSomeFailed : kAllCommitted;
    request.DataSetType = DIMSE_DATASET_PRESENT;
    OFStandard::strlcpy(request.AffectedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                        sizeof request.AffectedSOPClassUID);
    OFStandard::strlcpy(request.AffectedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                        sizeof request.AffectedSOPInstanceUID);
    const auto information = event_information(report);
    const OFCondition sent = DIMSE_sendMessageUsingMemoryData(
        association_, context, &message, nullptr, information.get(), nullptr, nullptr);
    if (sent.bad()) return Error(Code::unavailable, sent.text());
    return await_answer();
  }

 private:
  core::Status await_answer() {
    T_ASC_PresentationContextID context = 0;
    T_DIMSE_Message message{};
    const OFCondition cond = outgoing_.receive(message, context, Line::kAnswerSeconds);
    if (cond.bad()) return Error(Code::unavailable, core::cat("no answer: ", cond.text()));
    if (message.CommandField != DIMSE_N_EVENT_REPORT_RSP)
      return Error(Code::refused, "it answered something else");
    const std::uint16_t status = message.msg.NEventReportRSP.DimseStatus;
    if (status != kSuccess)
      return Error(Code::refused, core::cat("it refused the report with status ", status));
    outgoing_.release();
    return {};
  }

  OutgoingAssociation& outgoing_;
  T_ASC_Association* association_;
};

class Reporter final : public CommitmentReporter {
 public:
  Reporter(const DicomOptions& options, const sync::HoldingsDoor& door, const core::Clock& clock,
           Traffic& traffic)
      : options_(options), door_(door), clock_(clock), traffic_(traffic), thread_([this] {
          run();
        }) {}

  ~Reporter() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    line_.close();
    thread_.join();
  }

 private:
  struct Backoff {
    core::Monotonic next;
    core::Milliseconds wait{0};
  };

  bool rest() {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, kLookEvery, [this] { return stopping_; });
  }
  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  void run() {
    while (rest()) {
      const std::shared_ptr<sync::Holdings> holdings = door_.get();
      if (!holdings) continue;
      if (const auto told = tell_all(*holdings); !told.ok())
        core::log_error("dicom", core::cat("storage commitment: ", told.error().message()));
    }
  }

  core::Status tell_all(sync::Holdings& holdings) {
    std::int64_t after = 0;
    while (!is_stopping()) {
      GW_TRY(const auto report, next_report(holdings, after));
      if (!report) return {};
      after = report->number;
      const core::Status told = tell(*report);
      if (!told.ok()) {
        fall_back(backoffs_[report->calling_ae_title], *report, told.error());
        continue;
      }
      backoffs_.erase(report->calling_ae_title);
      GW_CHECK(note(holdings, *report));
    }
    return {};
  }

  /// One modality that is switched off must not keep the others waiting.
  core::Result<std::optional<CommitmentReport>> next_report(sync::Holdings& holdings,
                                                            std::int64_t after) {
    const core::Monotonic now = clock_.monotonic();
    std::set<std::string> resting;
    for (const auto& [ae_title, backoff] : backoffs_) {
      if (now < backoff.next) resting.insert(ae_title);
    }
    const auto load = [&](crypto::Connection& connection) {
      return sync::next_commitment_to_tell(connection, after, resting);
    };
    return holdings.database().read_value<std::optional<CommitmentReport>>(load);
  }

  core::Status tell(const CommitmentReport& report) {
    // The one who opens the association proposes itself as the provider (PS3.7 D.3.3.4).
    const OutgoingAssociation::Proposal proposal{
        kService,
        {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax},
        true};
    GW_TRY(const Destination to, destination_of(report));
    GW_TRY(const auto association, OutgoingAssociation::open(line_, to, report.called_ae_title,
                                                             report.calling_ae_title, {proposal}));
    return Call(*association).tell(report);
  }

  /// Plain TCP is for who is in the settings so, or not at all.
  core::Result<Destination> destination_of(const CommitmentReport& report) const {
    constexpr std::uint16_t kDicomPort = 104;
    const std::string& title = report.calling_ae_title;
    const DicomPeer* peer = find_peer(options_, title, report.peer_address);
    // One that calls from elsewhere today is called as its settings say all the same.
    for (const DicomPeer& other : options_.peers) {
      if (peer == nullptr && core::matches_pattern(other.ae_title, title)) peer = &other;
    }
    if (peer != nullptr)
      return Destination{peer->host.empty() ? report.peer_address : peer->host, peer->port,
                         peer->tls};
    for (const std::string& left_out : options_.left_out_titles) {
      if (!core::matches_pattern(left_out, title)) continue;
      return Error(
          Code::invalid,
          "its [dicom.peer.NAME] was left out because of a mistake in it, so that it is not "
          "known whether it is to be called over TLS; mend it (clinic-gateway status tells "
          "which) and restart");
    }
    return Destination{report.peer_address, kDicomPort, {}};
  }

  void fall_back(Backoff& backoff, const CommitmentReport& report, const Error& error) {
    if (is_stopping()) return;
    const bool is_first = backoff.wait.count() == 0;
    backoff.wait = is_first ? kFirstWait : std::min(backoff.wait * 2, kLongestWait);
    backoff.next = clock_.monotonic() + backoff.wait;
    if (!is_first) return;
    const auto to = destination_of(report);
    const std::string where = to.ok() ? core::cat(" at ", to->host, " port ", to->port) : "";
    core::log_warn("dicom",
                   core::cat("a storage commitment could not be reported to ",
                             report.calling_ae_title, where, ": ", error.message(),
                             "; it is tried again. Where that address is not right, set host and "
                             "port in [dicom.peer.NAME]"));
  }

  core::Status note(sync::Holdings& holdings, const CommitmentReport& report) {
    const core::Wall now = clock_.wall();
    const auto change = [&](crypto::Connection& connection) -> core::Status {
      GW_CHECK(sync::commitment_told(connection, report.number, core::to_instant(now),
                                     core::to_instant(now - kForgetAfter)));
      return holdings.audit().append(
          connection,
          {.at = now,
           .actor = "gateway",
           .action = "commit",
           .resource = core::cat("commitment/", report.verdicts.size(), " instances"),
           .patient = "",
           .source = report.calling_ae_title,
           .outcome = has_failure(report) ? "failed: told that not all are safe" : "told: safe"});
    };
    GW_CHECK(holdings.database().write(change));
    ++traffic_.commitments_told;
    return {};
  }

  const DicomOptions& options_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  Traffic& traffic_;
  std::map<std::string, Backoff> backoffs_;  // by AE title; the thread's
  Line line_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: it runs with all of the above
};

}  // namespace

std::unique_ptr<CommitmentReporter> CommitmentReporter::start(const DicomOptions& options,
                                                              const sync::HoldingsDoor& door,
                                                              const core::Clock& clock,
                                                              Traffic& traffic) {
  return std::make_unique<Reporter>(options, door, clock, traffic);
}

}  // namespace gateway::adapters::dicom
