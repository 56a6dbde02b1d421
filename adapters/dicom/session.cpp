#include "adapters/dicom/session.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmnet/dul.h>
#include <dcmtk/oflog/oflog.h>

#include <mutex>
#include <string>
#include <vector>

#include "adapters/dicom/archive_scp.h"
#include "adapters/dicom/commitment_scp.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/mpps_scp.h"
#include "adapters/dicom/pacs_report.h"
#include "adapters/dicom/retrieve_scp.h"
#include "adapters/dicom/store_scp.h"
#include "adapters/dicom/worklist_scp.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

constexpr Sint32 kConnectSeconds = 5;  // for calling a modality: a stop waits for it

class Session {
 public:
  Session(const SessionSetting& setting, Association& association)
      : options_(setting.options),
        admission_(setting.admission),
        door_(setting.door),
        clock_(setting.clock),
        traffic_(setting.traffic),
        query_trail_(setting.query_trail),
        association_(association),
        store_(association, setting.door, setting.traffic) {}

  void run() {
    const Admission::Decision decision = admit();
    if (!decision.is_admitted) return;
    character_set_ = decision.character_set;
    if (decision.is_user_known) association_.confirm_user();
    const auto accepted = association_.accept(decision.rights, held_syntaxes());
    if (!accepted.ok() || !accepted.value()) {
      ++traffic_.rejected;
      core::log_warn("dicom", accepted.ok() ? cat("association refused: ", caller(),
                                                  " proposed no service it may use here")
                                            : accepted.error().message());
      return;
    }
    ++traffic_.associations;
    Association::Command command;
    Association::Next next = Association::Next::command;
    while (next == Association::Next::command) {
      traffic_.last_seen =
          std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch())
              .count();
      next = association_.next_command(command, options_.idle_timeout);
      if (next == Association::Next::command && !serve(command)) next = Association::Next::failed;
    }
    log_end(next);
  }

 private:
  HeldSyntaxes held_syntaxes() {
    HeldSyntaxes held;
    const std::shared_ptr<sync::Holdings> holdings = door_.get();
    if (!holdings || !association_.proposes_retrieval()) return held;
    const auto usual =
        holdings->database().read_value<std::vector<sync::ArchiveSyntax>>(sync::usual_syntaxes);
    if (!usual.ok()) return held;  // it is a preference only
    for (const sync::ArchiveSyntax& syntax : *usual)
      held.emplace(syntax.sop_class_uid, syntax.transfer_syntax_uid);
    return held;
  }

  bool serve_find(const Association::Command& command) {
    const auto serve =
        service_of(association_.context(command.context).abstract_syntax) == Service::archive_query
            ? serve_archive_query
            : serve_worklist;
    return serve(association_, command.context, command.message.msg.CFindRQ, door_, character_set_,
                 query_trail_, traffic_);
  }

  std::string caller() const {
    return cat(association_.calling_title(), " at ", association_.peer().address());
  }

  Admission::Decision admit() {
    Admission::Decision decision = admission_.decide(
        {association_.calling_title(), association_.called_title(), association_.peer().address(),
         association_.peer().is_encrypted(), association_.user_identity()});
    if (decision.is_admitted) return decision;
    ++traffic_.rejected;
    if (decision.rejection == Rejection::calling_title_unknown) ++traffic_.strangers;
    core::log_warn("dicom", cat("association refused: ", caller(), ": ", decision.why));
    association_.reject(decision.rejection);
    return decision;
  }

  bool serve(const Association::Command& command) {
    switch (command.message.CommandField) {
      case DIMSE_C_ECHO_RQ:
        ++traffic_.echoes;
        return DIMSE_sendEchoResponse(association_.handle(), command.context,
                                      &command.message.msg.CEchoRQ, STATUS_Success, nullptr)
            .good();
      case DIMSE_C_STORE_RQ:
        return store_.serve(command.context, command.message.msg.CStoreRQ);
      case DIMSE_C_FIND_RQ:
        return serve_find(command);
      case DIMSE_C_GET_RQ:
        return serve_get(association_, command.context, command.message.msg.CGetRQ,
                         {options_, door_, clock_, traffic_});
      case DIMSE_C_MOVE_RQ:
        return serve_move(association_, command.context, command.message.msg.CMoveRQ,
                          {options_, door_, clock_, traffic_});
      case DIMSE_N_CREATE_RQ:
        return serve_step_create(association_, command.context, command.message.msg.NCreateRQ,
                                 door_, traffic_);
      case DIMSE_N_SET_RQ:
        return serve_step_set(association_, command.context, command.message.msg.NSetRQ, door_,
                              traffic_);
      case DIMSE_N_ACTION_RQ:
        return serve_commitment_request(association_, command.context,
                                        command.message.msg.NActionRQ, door_, clock_, traffic_);
      case DIMSE_N_EVENT_REPORT_RQ:
        return serve_pacs_report(association_, command.context, command.message.msg.NEventReportRQ,
                                 options_, door_, clock_, traffic_);
      case DIMSE_C_CANCEL_RQ:
        return true;  // of a query that has been answered already
      default:
        core::log_warn(
            "dicom",
            cat(caller(), " sent a command this gateway does not serve; association aborted"));
        association_.abort();
        return false;
    }
  }

  void log_end(Association::Next next) {
    const std::string summary = store_.summary();
    const bool orderly = next == Association::Next::released || next == Association::Next::aborted;
    if (summary.empty() && orderly) return;
    const std::string_view end = next == Association::Next::released  ? "released"
                                 : next == Association::Next::aborted ? "aborted by the peer"
                                                                      : "broken off";
    core::log(orderly ? core::Level::info : core::Level::warn, "dicom",
              cat("association of ", caller(), " ", end, summary.empty() ? "" : ": ", summary));
  }

  const DicomOptions& options_;
  Admission& admission_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  Traffic& traffic_;
  QueryTrail& query_trail_;
  Association& association_;
  StoreScp store_;
  std::string character_set_;  // the peer's, for queries that name none
};

}  // namespace

// DCMTK's own log may name patients; every event worth a line is ours to write.
core::Status prepare_dcmtk() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    register_codecs();
    dcmDisableGethostbyaddr.set(OFTrue);
    dcmConnectionTimeout.set(kConnectSeconds);
  });
  if (dcmDataDict.isDictionaryLoaded()) return {};
  return core::Error(
      core::Code::invalid,
      "DCMTK's data dictionary is missing; install the package dcmtk's libraries come from again");
}

void serve_session(const SessionSetting& setting, Association& association) {
  Session(setting, association).run();
}

}  // namespace gateway::adapters::dicom
