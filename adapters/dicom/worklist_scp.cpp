#include "adapters/dicom/worklist_scp.h"

#include <dcmtk/dcmdata/dctk.h>

#include <functional>

#include "adapters/dicom/find_answers.h"
#include "adapters/dicom/worklist_query.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

/// What is sent, at most: a worklist of more is none a person reads.
constexpr std::size_t kAnswersMax = 1'000;

struct Matches {
  std::vector<WorklistQuery::Answer> answers;
  std::size_t steps = 0;  // a hash of which ones
  bool is_cut = false;    // more would match
};

bool send_matches(FindAnswers& answers, const Matches& matches) {
  for (const WorklistQuery::Answer& answer : matches.answers) {
    const auto sent = answers.send_match(*answer.identifier, answer.all_keys_supported);
    if (sent != FindAnswers::Sent::yes) return sent == FindAnswers::Sent::cancelled;
  }
  if (!matches.is_cut) return answers.finish(kSuccess, "");
  return answers.finish(kOutOfResources,
                        core::cat("more than ", kAnswersMax, " steps match: narrow the query"));
}

core::Result<Matches> find_matches(const WorklistQuery& query, sync::Holdings& holdings) {
  Matches matches;
  const auto take = [&](const sync::WorklistStep& step) {
    WorklistQuery::Answer answer = query.answer(step);
    if (!answer.identifier) return true;
    matches.is_cut = matches.answers.size() == kAnswersMax;
    if (matches.is_cut) return false;
    matches.answers.push_back(std::move(answer));
    matches.steps = matches.steps * 31 + std::hash<std::string>()(step.step_id);
    return true;
  };
  GW_CHECK(holdings.database().read([&](crypto::Connection& connection) {
    return sync::find_worklist(connection, query.selection(), take);
  }));
  return matches;
}

}  // namespace

bool serve_worklist(Association& association, T_ASC_PresentationContextID context,
                    const T_DIMSE_C_FindRQ& request, const sync::HoldingsDoor& door,
                    const std::string& character_set, QueryTrail& trail, Traffic& traffic) {
  ++traffic.queries;
  FindAnswers answers(association, context, request);
  const auto refuse = [&](const Error& error) { return answers.refuse(error, traffic); };
  const auto bytes = answers.receive_identifier();
  if (!bytes.ok() && bytes.error().code() == Code::unavailable) return false;
  if (!bytes.ok()) return refuse(bytes.error());
  const E_TransferSyntax syntax =
      DcmXfer(association.context(context).transfer_syntax.c_str()).getXfer();
  const auto query = WorklistQuery::parse(bytes.value(), syntax, character_set);
  if (!query.ok()) return refuse(query.error());
  const std::shared_ptr<sync::Holdings> holdings = door.get();
  if (!holdings) return refuse(Error(Code::locked, "the gateway is locked"));
  const auto matches = find_matches(query.value(), *holdings);
  if (!matches.ok()) return refuse(matches.error());
  trail.note(*holdings, association, {"worklist", matches->answers.size(), matches->steps});
  return send_matches(answers, *matches);
}

}  // namespace gateway::adapters::dicom
