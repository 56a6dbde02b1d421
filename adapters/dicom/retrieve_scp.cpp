#include "adapters/dicom/retrieve_scp.h"

#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <map>
#include <set>

#include "adapters/dicom/archive_identifier.h"
#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/find_answers.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/identifier_keys.h"
#include "adapters/dicom/object_sender.h"
#include "adapters/dicom/outgoing_association.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/patient_trail.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;
using sync::WishedInstance;

constexpr std::size_t kObjectsMax = 65'535;  // the counters of the answers are that wide
constexpr int kStoreAnswerSeconds = 60;      // of a move destination
constexpr std::uint16_t kSubOperationsFailed = 0xa702;
constexpr std::uint16_t kDestinationUnknown = 0xa801;
constexpr std::uint16_t kSomeFailed = 0xb000;

struct Counts {
  std::size_t remaining = 0;
  std::size_t completed = 0;
  std::size_t failed = 0;
  std::size_t warned = 0;
};

/// One answer of either service (PS3.7 9.1.3.1, 9.1.4.1).
class Answers {
 public:
  Answers(Association& association, T_ASC_PresentationContextID context, const T_DIMSE_C_GetRQ& get)
      : association_(association), context_(context), get_(&get) {}
  Answers(Association& association, T_ASC_PresentationContextID context,
          const T_DIMSE_C_MoveRQ& move)
      : association_(association), context_(context), move_(&move) {}

  std::uint16_t message_id() const { return get_ ? get_->MessageID : move_->MessageID; }
  T_DIMSE_DataSetType data_set_type() const {
    return get_ ? get_->DataSetType : move_->DataSetType;
  }
  T_ASC_PresentationContextID context() const { return context_; }

  bool send(std::uint16_t status, const Counts& counts, const std::vector<std::string>& failed,
            const std::string& comment) {
    DcmDataset identifier;
    if (!failed.empty()) put_failed(identifier, failed);
    DcmDataset detail;
    if (!comment.empty()) (void)detail.putAndInsertString(DCM_ErrorComment, comment.c_str());
    DcmDataset* ids = failed.empty() ? nullptr : &identifier;
    DcmDataset* why = comment.empty() ? nullptr : &detail;
    if (get_ != nullptr) {
      auto response = response_of<T_DIMSE_C_GetRSP>(status, counts, ids != nullptr);
      return DIMSE_sendGetResponse(association_.handle(), context_, get_, &response, ids, why)
          .good();
    }
    auto response = response_of<T_DIMSE_C_MoveRSP>(status, counts, ids != nullptr);
    return DIMSE_sendMoveResponse(association_.handle(), context_, move_, &response, ids, why)
        .good();
  }

 private:
  // Both kinds of response have the same members and flags.
  template <class Response>
  static Response response_of(std::uint16_t status, const Counts& counts, bool has_identifier) {
    static_assert(O_GET_NUMBEROFWARNINGSUBOPERATIONS == O_MOVE_NUMBEROFWARNINGSUBOPERATIONS);
    Response response{};
    response.DimseStatus = status;
    response.DataSetType = has_identifier ? DIMSE_DATASET_PRESENT : DIMSE_DATASET_NULL;
    response.NumberOfRemainingSubOperations = static_cast<DIC_US>(counts.remaining);
    response.NumberOfCompletedSubOperations = static_cast<DIC_US>(counts.completed);
    response.NumberOfFailedSubOperations = static_cast<DIC_US>(counts.failed);
    response.NumberOfWarningSubOperations = static_cast<DIC_US>(counts.warned);
    response.opts = O_GET_NUMBEROFCOMPLETEDSUBOPERATIONS | O_GET_NUMBEROFFAILEDSUBOPERATIONS |
                    O_GET_NUMBEROFWARNINGSUBOPERATIONS;
    if (status == kPending || status == kCancelled)
      response.opts |= O_GET_NUMBEROFREMAININGSUBOPERATIONS;
    return response;
  }

  static void put_failed(DcmDataset& identifier, const std::vector<std::string>& failed) {
    std::string list;
    for (const std::string& uid : failed) list += cat(list.empty() ? "" : "\\", uid);
    (void)identifier.putAndInsertOFStringArray(DCM_FailedSOPInstanceUIDList, list.c_str());
  }

  Association& association_;
  T_ASC_PresentationContextID context_;
  const T_DIMSE_C_GetRQ* get_ = nullptr;
  const T_DIMSE_C_MoveRQ* move_ = nullptr;
};

std::vector<std::string> values_of(DcmItem& keys, const DcmTagKey& tag) {
  std::set<std::string> values;
  const std::string text = text_of(keys, tag);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\\', at), text.size());
    if (const auto value = core::trim(std::string_view(text).substr(at, end - at)); !value.empty())
      values.emplace(value);
    at = end + 1;
  }
  return {values.begin(), values.end()};
}

core::Result<sync::ArchiveWish> wish_of(DcmItem& keys) {
  const auto level = query_level(text_of(keys, DCM_QueryRetrieveLevel));
  if (!level) return Error(Code::invalid, "it names no query/retrieve level");
  sync::ArchiveWish wish;
  wish.patient_id = text_of(keys, DCM_PatientID);
  if (*level >= QueryLevel::study) wish.study_uids = values_of(keys, DCM_StudyInstanceUID);
  if (*level >= QueryLevel::series) wish.series_uids = values_of(keys, DCM_SeriesInstanceUID);
  if (*level == QueryLevel::image) wish.sop_instance_uids = values_of(keys, DCM_SOPInstanceUID);
  const bool names_something = *level == QueryLevel::patient  ? !wish.patient_id.empty()
                               : *level == QueryLevel::study  ? !wish.study_uids.empty()
                               : *level == QueryLevel::series ? !wish.series_uids.empty()
                                                              : !wish.sop_instance_uids.empty();
  if (!names_something) return Error(Code::invalid, "it names nothing of its level");
  return wish;
}

class Retrieval {
 public:
  Retrieval(Association& association, Answers answers, const RetrieveDoor& door)
      : association_(association), answers_(answers), door_(door) {}

  /// Nothing: the answer has gone out, or (false) the association broke.
  std::optional<bool> begin() {
    if (answers_.data_set_type() == DIMSE_DATASET_NULL)
      return refuse(Error(Code::invalid, "it has no identifier"));
    const auto bytes =
        receive_command_data_set(association_, answers_.context(), kIdentifierBytesMax);
    if (!bytes.ok() && bytes.error().code() == Code::unavailable) {
      association_.abort();
      return false;
    }
    if (!bytes.ok()) return refuse(bytes.error());
    if (const core::Status found = find(bytes.value()); !found.ok()) return refuse(found.error());
    counts_.remaining = wished_.size();
    return std::nullopt;
  }

  const std::vector<WishedInstance>& wished() const { return wished_; }

  bool refuse(const Error& error) {
    Refusal refusal = query_refusal(error);
    return refuse(refusal.status, refusal.comment, error.message());
  }
  bool refuse(std::uint16_t status, const std::string& comment, std::string_view why) {
    core::log_warn("dicom", cat("retrieval for ", association_.calling_title(), " at ",
                                association_.peer().address(), " refused: ", why));
    ++door_.traffic.refused;
    return answers_.send(status, counts_, {}, comment);
  }
  /// None of them could be sent.
  bool fail_all(std::string_view why) {
    core::log_warn("dicom", cat("retrieval for ", association_.calling_title(), ": ", why));
    counts_ = {0, 0, wished_.size(), 0};
    note_what_stayed();
    return answers_.send(kSubOperationsFailed, counts_, {}, "the move destination does not answer");
  }

  /// Whose objects go where is in the audit trail before the first of them goes. `to`: what stands
  /// there of the destination, where that is not the one who asks. Otherwise as begin().
  std::optional<bool> note_asked(std::string to) {
    destination_ = std::move(to);
    std::map<std::string, std::size_t> asked;
    for (const WishedInstance& wished : wished_) ++asked[wished.study_uid];
    const core::Status noted = note([&](const std::string& study) -> std::string {
      return cat(asked[study], " objects asked for", destination_);
    });
    return noted.ok() ? std::nullopt : std::optional(refuse(noted.error()));
  }

  /// False: the association of the one who asked broke.
  bool run(ObjectSender& sender, const std::function<Cancel()>& cancelled) {
    for (const WishedInstance& wished : wished_) {
      switch (cancelled()) {
        case Cancel::none:
          break;
        case Cancel::asked:
          return finish(kCancelled);
        case Cancel::broken:
          association_.abort();
          return give_up();
      }
      if (!send_one(sender, wished)) break;
      if (counts_.remaining > 0 && !answers_.send(kPending, counts_, {}, "")) return give_up();
    }
    return finish(final_status());
  }

  /// The last answer, with the counts there are. False: the association broke.
  bool finish(std::uint16_t status) {
    core::log_info("dicom", cat("retrieval for ", association_.calling_title(), ": ",
                                counts_.completed + counts_.warned, " sent, ", counts_.failed,
                                " failed, ", counts_.remaining, " cancelled"));
    note_what_stayed();
    return answers_.send(status, counts_, failed_, "");
  }

  /// True: the way the objects went is gone; what remained counts as failed.
  bool is_broken() const { return is_broken_; }

 private:
  bool give_up() {
    note_what_stayed();
    return false;
  }

  /// Where not everything went that was asked for.
  void note_what_stayed() {
    if (counts_.failed == 0 && counts_.remaining == 0) return;
    const core::Status noted = note([&](const std::string& study) {
      return cat("failed: ", sent_[study], " objects sent", destination_);
    });
    if (!noted.ok()) {
      core::log_error("dicom", cat("how a retrieval ended is not in the audit trail: ",
                                   noted.error().message()));
    }
  }

  /// One row for each study.
  core::Status note(const std::function<std::string(const std::string& study_uid)>& outcome) {
    std::set<std::string> studies;
    for (const WishedInstance& wished : wished_) studies.insert(wished.study_uid);
    return holdings_->database().write([&](crypto::Connection& connection) -> core::Status {
      for (const std::string& study_uid : studies) {
        GW_TRY(const sync::TrailedStudy study, sync::trail_study(connection, study_uid));
        GW_CHECK(holdings_->audit().append(connection,
                                           {.at = door_.clock.wall(),
                                            .actor = cat("ae:", association_.calling_title()),
                                            .action = "retrieve",
                                            .resource = study.resource,
                                            .patient = study.patient,
                                            .source = association_.peer().address(),
                                            .outcome = outcome(study_uid)}));
      }
      return {};
    });
  }

  core::Status find(const std::string& bytes) {
    const Association::Context agreed = association_.context(answers_.context());
    GW_TRY(const IdentifierKeys keys,
           IdentifierKeys::parse(bytes, DcmXfer(agreed.transfer_syntax.c_str()).getXfer(), ""));
    GW_TRY(const sync::ArchiveWish wish, wish_of(keys.keys()));
    holdings_ = door_.door.get();
    if (!holdings_) return Error(Code::locked, "the gateway is locked");
    GW_TRY(wished_, holdings_->database().read_value<std::vector<WishedInstance>>(
                        [&](crypto::Connection& connection) {
                          return sync::wished_instances(connection, wish, kObjectsMax, issuer());
                        }));
    return {};
  }
  const std::string& issuer() const { return holdings_->options().ingest.patient_id_issuer; }

  /// False: the way is broken.
  bool send_one(ObjectSender& sender, const WishedInstance& wished) {
    --counts_.remaining;
    const auto found = holdings_->database().read_value<sync::RetrievedInstance>(
        [&](crypto::Connection& connection) {
          return sync::retrieved_instance(connection, wished.row, issuer());
        });
    if (!found.ok()) {
      note_failure(wished, found.error().message());
      return true;
    }
    switch (sender.send(holdings_->objects(), *found, dicom_now(door_.clock))) {
      case ObjectSender::Outcome::stored:
        ++counts_.completed;
        ++sent_[wished.study_uid];
        ++door_.traffic.retrieved;
        return true;
      case ObjectSender::Outcome::warned:
        ++counts_.warned;
        ++sent_[wished.study_uid];
        ++door_.traffic.retrieved;
        return true;
      case ObjectSender::Outcome::failed:
        note_failure(wished, sender.reason());
        return true;
      case ObjectSender::Outcome::broken:
        is_broken_ = true;
        note_failure(wished, sender.reason().empty() ? "the connection broke" : sender.reason());
        counts_.failed += counts_.remaining;
        counts_.remaining = 0;
        return false;
    }
    return false;
  }

  void note_failure(const WishedInstance& wished, const std::string& why) {
    ++counts_.failed;
    failed_.push_back(wished.sop_instance_uid);
    if (counts_.failed > 1) return;  // the rest is counted
    core::log_warn("dicom", cat("retrieval for ", association_.calling_title(), ": an object of ",
                                wished.syntax.sop_class_uid, " was not sent: ", why));
  }

  std::uint16_t final_status() const {
    if (counts_.failed == 0 && counts_.warned == 0) return kSuccess;
    return counts_.completed + counts_.warned == 0 ? kSubOperationsFailed : kSomeFailed;
  }

  Association& association_;
  Answers answers_;
  const RetrieveDoor& door_;
  std::shared_ptr<sync::Holdings> holdings_;
  std::vector<WishedInstance> wished_;
  Counts counts_;
  std::map<std::string, std::size_t> sent_;  // by Study Instance UID
  std::string destination_;
  std::vector<std::string> failed_;
  bool is_broken_ = false;
};

const DicomPeer* destination(const DicomOptions& options, std::string_view title) {
  const auto found = std::ranges::find_if(options.peers, [&](const DicomPeer& peer) {
    return peer.ae_title == title && !peer.host.empty();
  });
  return found == options.peers.end() ? nullptr : &*found;
}

/// What shuts the association of the one who asked shuts the way of the objects too.
class Tie {
 public:
  Tie(PeerSocket& asking, Line& line) : asking_(asking) {
    asking_.on_shut([&line] { line.close(); });
  }
  ~Tie() { asking_.on_shut({}); }
  Tie(const Tie&) = delete;
  Tie& operator=(const Tie&) = delete;

 private:
  PeerSocket& asking_;
};

}  // namespace

bool serve_get(Association& association, T_ASC_PresentationContextID context,
               const T_DIMSE_C_GetRQ& request, const RetrieveDoor& door) {
  Retrieval retrieval(association, Answers(association, context, request), door);
  if (const auto over = retrieval.begin()) return *over;
  if (const auto over = retrieval.note_asked("")) return *over;
  bool cancelled = false;
  const auto receive = [&](T_DIMSE_Message& message) {
    Association::Command command;
    while (association.next_command(command, door.options.idle_timeout) ==
           Association::Next::command) {
      if (command.message.CommandField != DIMSE_C_CANCEL_RQ) {
        message = command.message;
        return true;
      }
      cancelled = true;
    }
    return false;
  };
  ObjectSender sender(*association.handle(), send_contexts(*association.handle(), true), receive,
                      {});
  const auto check = [&] {
    return cancelled ? Cancel::asked : check_cancel(association, context, request.MessageID);
  };
  const bool answered = retrieval.run(sender, check);
  return answered && !retrieval.is_broken();
}

bool serve_move(Association& association, T_ASC_PresentationContextID context,
                const T_DIMSE_C_MoveRQ& request, const RetrieveDoor& door) {
  Retrieval retrieval(association, Answers(association, context, request), door);
  if (const auto over = retrieval.begin()) return *over;
  const std::string title(core::trim(request.MoveDestination));
  const DicomPeer* peer = destination(door.options, title);
  if (peer == nullptr) {
    return retrieval.refuse(
        kDestinationUnknown, "the gateway does not know this move destination",
        cat("\"", title, "\" is no [dicom.peer.NAME] with that ae_title and a host"));
  }
  if (retrieval.wished().empty()) return retrieval.finish(kSuccess);
  if (const auto over = retrieval.note_asked(cat(", to ", title, " at ", peer->host))) return *over;
  std::set<sync::ArchiveSyntax> held;
  for (const WishedInstance& instance : retrieval.wished()) held.insert(instance.syntax);
  Line line;
  const Tie tie(association.peer(), line);
  const auto outgoing =
      OutgoingAssociation::open(line, {peer->host, peer->port, peer->tls},
                                association.called_title(), title, store_proposals(held));
  if (!outgoing.ok()) {
    return retrieval.fail_all(
        cat(title, " at ", peer->host, " port ", peer->port, ": ", outgoing.error().message()));
  }
  T_ASC_Association* const way = (*outgoing)->handle();
  const auto receive = [&](T_DIMSE_Message& message) {
    T_ASC_PresentationContextID answered = 0;
    return (*outgoing)->receive(message, answered, kStoreAnswerSeconds).good();
  };
  ObjectSender sender(*way, send_contexts(*way, false), receive,
                      {association.calling_title(), request.MessageID});
  const bool answered =
      retrieval.run(sender, [&] { return check_cancel(association, context, request.MessageID); });
  if (!retrieval.is_broken()) (*outgoing)->release();
  return answered;
}

}  // namespace gateway::adapters::dicom
