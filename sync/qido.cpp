#include "sync/qido.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "core/json.h"
#include "core/text.h"
#include "sync/peer_answer.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using core::net::HttpClient;

constexpr std::size_t kPage = 500;
constexpr std::size_t kMost = 20'000;
constexpr std::size_t kUidMax = 64;

std::string value_of(const Json& match, std::string_view tag) {
  return std::string(core::trim(match[tag]["Value"][0].text()));
}

/// PS3.18 F.2.2: the three component groups by name.
std::string person_name_of(const Json& match, std::string_view tag) {
  const Json& name = match[tag]["Value"][0];
  std::string text = core::cat(name["Alphabetic"].text(), "=", name["Ideographic"].text(), "=",
                               name["Phonetic"].text());
  while (text.ends_with('=')) text.pop_back();
  return text;
}

/// It goes into paths.
bool is_uid(std::string_view text) {
  return !text.empty() && text.size() <= kUidMax &&
         std::ranges::all_of(text, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

using TakeMatch = std::function<core::Status(const Json& match)>;

/// Of one page, to `take`, those not seen before: how many.
core::Result<std::size_t> take_page(const Json& page, std::string_view uid_tag,
                                    std::set<std::string>& uids, const TakeMatch& take) {
  std::size_t fresh = 0;
  for (const Json& match : page.items()) {
    const std::string uid = value_of(match, uid_tag);
    if (uid.empty() || uids.contains(uid)) continue;
    if (!is_uid(uid)) return core::Error(core::Code::invalid, "the PACS names what is no UID");
    if (uids.size() >= kMost)
      return core::Error(core::Code::invalid, "the PACS answered with more than anybody has");
    uids.insert(uid);
    GW_CHECK(take(match));
    ++fresh;
  }
  return fresh;
}

/// `what` ends in its query. A page may be shorter than asked for before the last one (PS3.18
/// 8.3.4.4); a server that knows no paging gives the same page again.
Awaitable<core::Status> find_all(std::shared_ptr<HttpClient> client, std::string what,
                                 std::string uid_tag, TakeMatch take) {
  std::set<std::string> uids;
  std::size_t offset = 0;
  while (true) {
    core::net::HttpRequest request;
    request.target = core::cat(what, "limit=", kPage, "&offset=", offset);
    request.headers = {{"Accept", "application/dicom+json"}};
    auto answer = co_await client->send(std::move(request));
    if (!answer.ok()) co_return std::move(answer).error();
    if (const std::string why = not_serving(*answer, "json"); !why.empty())
      co_return core::Error(core::Code::unavailable, why);
    if (answer->status == 204) co_return core::Status();
    if (answer->status != 200) co_return unhoped_answer("looking for priors", answer->status);
    GW_CO_TRY(const Json page, Json::parse(answer->body));
    GW_CO_TRY(const std::size_t fresh, take_page(page, uid_tag, uids, take));
    if (fresh == 0) co_return core::Status();
    offset += page.size();
  }
}

PriorStudy study_of(const Json& match) {
  PriorStudy study;
  InstanceFacts& facts = study.facts;
  facts.study_instance_uid = value_of(match, "0020000D");
  facts.study_date = value_of(match, "00080020");
  facts.study_time = value_of(match, "00080030");
  facts.patient_id = value_of(match, "00100020");
  facts.patient_id_issuer = value_of(match, "00100021");
  facts.patient_name = person_name_of(match, "00100010");
  facts.birth_date = value_of(match, "00100030");
  facts.sex = value_of(match, "00100040");
  for (const Json& modality : match["00080061"]["Value"].items())
    study.modalities.emplace_back(core::trim(modality.text()));
  return study;
}

}  // namespace

Awaitable<core::Result<std::vector<PriorStudy>>> find_studies_of(std::shared_ptr<HttpClient> client,
                                                                 std::string patient_id,
                                                                 std::string from_date) {
  std::string what =
      core::cat("/studies?PatientID=", core::net::url_encode(patient_id), "&StudyDate=", from_date,
                "-&includefield=00080061&includefield=00100021&includefield=00100030&");
  std::vector<PriorStudy> studies;
  TakeMatch take = [&studies](const Json& match) -> core::Status {
    studies.push_back(study_of(match));
    return {};
  };
  const core::Status found =
      co_await find_all(std::move(client), std::move(what), "0020000D", std::move(take));
  GW_CO_CHECK(found);
  co_return studies;
}

Awaitable<core::Result<std::vector<InstanceName>>> find_instances_of(
    std::shared_ptr<HttpClient> client, std::string study_uid) {
  std::string what = core::cat("/studies/", study_uid, "/instances?");
  std::vector<InstanceName> names;
  TakeMatch take = [&names, &study_uid](const Json& match) -> core::Status {
    InstanceName name{study_uid, value_of(match, "0020000E"), value_of(match, "00080018")};
    if (!is_uid(name.series_uid))
      return core::Error(core::Code::invalid, "the PACS names an instance without its series");
    names.push_back(std::move(name));
    return {};
  };
  const core::Status found =
      co_await find_all(std::move(client), std::move(what), "00080018", std::move(take));
  GW_CO_CHECK(found);
  co_return names;
}

}  // namespace gateway::sync
