#include "sync/archive_candidates.h"

#include "core/text.h"

namespace gateway::sync {
namespace {

using crypto::Connection;
using Uids = std::optional<std::vector<std::string>>;

// No text holds this character; all that begin like a text sort before the text followed by it.
constexpr char kNoText[] = "\xf4\x8f\xbf\xbf";

// Studies linked to one of `who`, or to a Patient who was merged into one: the one who stays is
// shown, whichever of them the study names.
constexpr std::string_view kOfWho =
    ", merged(id, hops) AS (SELECT id, 0 FROM who UNION"
    "  SELECT r.id, m.hops + 1 FROM merged m JOIN search_reference r"
    "  ON r.target = 'Patient/' || m.id AND r.type = 'Patient' AND r.param = 'link'"
    "  WHERE m.hops < 8)"
    " SELECT s.study_uid FROM (SELECT DISTINCT id FROM merged) m"
    "  JOIN dicom_study s ON s.patient = m.id";

constexpr std::string_view kWhoHasId =
    "WITH RECURSIVE who(id) AS (SELECT id FROM search_token"
    "  WHERE type = 'Patient' AND param = 'identifier' AND code = ?1)";
constexpr std::string_view kOrSentId =
    " UNION SELECT study_uid FROM dicom_study WHERE patient_id = ?1 AND ?2 = ''"
    " ORDER BY 1 LIMIT ?3";

constexpr std::string_view kWhoHasName =
    "WITH RECURSIVE who(id) AS (SELECT id FROM search_string"
    "  WHERE type = 'Patient' AND param = 'name' AND value >= ?1 AND value < ?2)";
constexpr std::string_view kOrSentName =
    " UNION SELECT study_uid FROM dicom_study WHERE name_key >= ?1 AND name_key < ?2"
    " UNION SELECT study_uid FROM dicom_study WHERE name_key IS NULL"
    " ORDER BY 1 LIMIT ?3";

constexpr std::string_view kByDate =
    "SELECT study_uid FROM dicom_study WHERE study_date >= ?1 AND study_date <= ?2"
    " UNION SELECT study_uid FROM dicom_study WHERE length(study_date) <> 8"
    " ORDER BY 1 LIMIT ?3";

core::Result<Uids> ask(Connection& connection, std::string_view sql, const std::string& first,
                       const std::string& second, std::size_t most) {
  GW_TRY(auto rows, connection.query(sql, first, second, static_cast<std::int64_t>(most + 1)));
  std::vector<std::string> uids;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return Uids(std::move(uids));
    if (uids.size() == most) return Uids();
    uids.emplace_back(rows.text(0));
  }
}

}  // namespace

core::Result<Uids> archive_candidates(Connection& connection, const ArchiveHints& hints,
                                      std::size_t most) {
  if (!hints.patient_id.empty()) {
    GW_TRY(auto uids,
           ask(connection, core::cat(kWhoHasId, kOfWho, kOrSentId), hints.patient_id, "", most));
    if (uids) return uids;
  }
  if (!hints.name_begins.empty()) {
    // A Patient's names are indexed component by component: those that begin like the first.
    const std::string first = hints.name_begins.substr(0, hints.name_begins.find('^'));
    GW_TRY(auto uids, ask(connection, core::cat(kWhoHasName, kOfWho, kOrSentName), first,
                          first + kNoText, most));
    if (uids) return uids;
  }
  if (!hints.date_from.empty() || !hints.date_to.empty()) {
    const std::string& to = hints.date_to;
    GW_TRY(auto uids, ask(connection, kByDate, hints.date_from, to.empty() ? kNoText : to, most));
    if (uids) return uids;
  }
  return Uids();
}

}  // namespace gateway::sync
