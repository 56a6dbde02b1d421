#include "adapters/dicom/worklist_scp.h"

#include <dcmtk/dcmdata/dctk.h>

#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/worklist_query.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

/// What is sent, at most: a worklist of more is none a person reads.
constexpr std::size_t kAnswersMax = 1'000;

struct Matches {
  std::vector<WorklistQuery::Answer> answers;
  bool is_cut = false;  // more would match
};

constexpr std::size_t kIdentifierBytesMax = 262'144;
constexpr std::uint16_t kPending = 0xff00;
constexpr std::uint16_t kPendingUnsupportedKeys = 0xff01;
constexpr std::uint16_t kCancelled = 0xfe00;

class WorklistFind {
 public:
  WorklistFind(Association& association, T_ASC_PresentationContextID context,
               const T_DIMSE_C_FindRQ& request)
      : association_(association), context_(context), request_(request) {}

  bool send_matches(const Matches& matches) {
    for (const WorklistQuery::Answer& answer : matches.answers) {
      switch (check_cancel()) {
        case Cancel::none:
          break;
        case Cancel::asked:
          return send(kCancelled, nullptr, "");
        case Cancel::broken:
          association_.abort();
          return false;
      }
      if (!send(answer.all_keys_supported ? kPending : kPendingUnsupportedKeys,
                answer.identifier.get(), ""))
        return false;
    }
    if (matches.is_cut) {
      return send(kOutOfResources, nullptr,
                  core::cat("more than ", kAnswersMax, " steps match: narrow the query"));
    }
    return send(kSuccess, nullptr, "");
  }

  bool send(std::uint16_t status, DcmDataset* identifier, const std::string& comment) {
    T_DIMSE_C_FindRSP response{};
    response.DimseStatus = status;
    response.DataSetType = identifier == nullptr ? DIMSE_DATASET_NULL : DIMSE_DATASET_PRESENT;
    DcmDataset detail;
    if (!comment.empty()) (void)detail.putAndInsertString(DCM_ErrorComment, comment.c_str());
    return DIMSE_sendFindResponse(association_.handle(), context_, &request_, &response, identifier,
                                  comment.empty() ? nullptr : &detail)
        .good();
  }

 private:
  enum class Cancel { none, asked, broken };

  Cancel check_cancel() {
    const OFCondition cond =
        DIMSE_checkForCancelRQ(association_.handle(), context_, request_.MessageID);
    if (cond.good()) return Cancel::asked;
    return cond == DIMSE_NODATAAVAILABLE ? Cancel::none : Cancel::broken;
  }

  Association& association_;
  T_ASC_PresentationContextID context_;
  const T_DIMSE_C_FindRQ& request_;
};

core::Result<Matches> find_matches(const WorklistQuery& query, const sync::HoldingsDoor& door) {
  const std::shared_ptr<sync::Holdings> holdings = door.get();
  if (!holdings) return Error(Code::locked, "the gateway is locked");
  Matches matches;
  const auto take = [&](const sync::WorklistStep& step) {
    WorklistQuery::Answer answer = query.answer(step);
    if (!answer.identifier) return true;
    matches.is_cut = matches.answers.size() == kAnswersMax;
    if (!matches.is_cut) matches.answers.push_back(std::move(answer));
    return !matches.is_cut;
  };
  GW_CHECK(holdings->database().read([&](crypto::Connection& connection) {
    return sync::find_worklist(connection, query.selection(), take);
  }));
  return matches;
}

Refusal query_refusal(const Error& error) {
  switch (error.code()) {
    case Code::invalid:
      return {kDoesNotMatch, "the gateway cannot read this query"};
    case Code::locked:
    case Code::busy:
    case Code::no_space:
      return refusal_for(error.code());
    default:
      return {kCannotUnderstand, "the gateway could not process this query: see its log"};
  }
}

}  // namespace

bool serve_worklist(Association& association, T_ASC_PresentationContextID context,
                    const T_DIMSE_C_FindRQ& request, const sync::HoldingsDoor& door,
                    const std::string& character_set, Traffic& traffic) {
  ++traffic.queries;
  WorklistFind find(association, context, request);
  const auto refuse = [&](const Error& error) {
    const Refusal refusal = query_refusal(error);
    core::log_warn("dicom", core::cat("worklist query from ", association.calling_title(), " at ",
                                      association.peer().address(), " refused: ", error.message()));
    ++traffic.refused;
    return find.send(refusal.status, nullptr, refusal.comment);
  };
  if (request.DataSetType == DIMSE_DATASET_NULL)
    return refuse(Error(Code::invalid, "it has no identifier"));
  const auto bytes = receive_command_data_set(association, context, kIdentifierBytesMax);
  if (!bytes.ok() && bytes.error().code() == Code::unavailable) {
    association.abort();
    return false;
  }
  if (!bytes.ok()) return refuse(bytes.error());
  const E_TransferSyntax syntax =
      DcmXfer(association.context(context).transfer_syntax.c_str()).getXfer();
  const auto query = WorklistQuery::parse(bytes.value(), syntax, character_set);
  if (!query.ok()) return refuse(query.error());
  const auto matches = find_matches(query.value(), door);
  if (!matches.ok()) return refuse(matches.error());
  return find.send_matches(*matches);
}

}  // namespace gateway::adapters::dicom
