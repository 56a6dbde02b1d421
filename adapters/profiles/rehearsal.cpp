#include "adapters/profiles/rehearsal.h"

#include <algorithm>
#include <map>

#include "adapters/profiles/difference.h"
#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kFixtureBytesMax = 4U << 20;

Json ids_of(const std::vector<sync::PatientId>& ids) {
  Json list = Json::array();
  for (const sync::PatientId& id : ids)
    list.add(Json::object({{"system", id.system}, {"value", id.value}}));
  return list;
}

core::Result<FixtureOutcome> rehearse_group(core::Files& files, const std::string& folder,
                                            const std::string& stem,
                                            const std::vector<std::string>& names,
                                            const Profile& profile, const Rehearse& rehearse) {
  FixtureOutcome outcome{names[0], {}};
  std::vector<Fixture> fixtures;
  for (const std::string& name : names) {
    GW_TRY(std::string bytes,
           core::read_whole_file(files, cat(folder, "/fixtures/", name), kFixtureBytesMax));
    fixtures.push_back({name, std::move(bytes)});
  }
  const std::string file = cat(folder, "/expected/", stem, ".json");
  const auto text = core::read_whole_file(files, file, kFixtureBytesMax);
  const auto expected = text.ok() ? Json::parse(*text) : core::Result<Json>(text.error());
  if (!expected.ok()) {
    outcome.differences.push_back(cat(file, ": ", expected.error().message()));
    return outcome;
  }
  const auto actual = rehearse(profile, fixtures);
  if (!actual.ok()) {
    outcome.differences.push_back(actual.error().message());
    return outcome;
  }
  outcome.differences = difference(*expected, *actual);
  return outcome;
}

}  // namespace

mapping::DeviceProfile rehearsed_device() {
  mapping::DeviceProfile device;
  device.name = "device";
  device.time_zone = "Africa/Blantyre";
  device.patient_id_issuer = "urn:example:patients";
  device.specimen_id_issuer = "urn:example:specimens";
  return device;
}

Json outcome_of(const sync::IncomingMessage& message) {
  Json outcome = Json::object({{"kind", message.kind}});
  if (!message.dead_because.empty()) outcome.set("dead_because", message.dead_because);
  outcome.set("ids", ids_of(message.patient.ids));
  outcome.set("carriers", ids_of(message.patient.carriers));
  if (!message.patient.draft.body.is_null()) outcome.set("patient", message.patient.draft.body);
  Json resources = Json::array();
  for (const sync::Draft& draft : message.drafts) {
    Json body = draft.body;
    resources.add(std::move(body));
  }
  outcome.set("resources", std::move(resources));
  Json gaps = Json::array();
  for (const sync::MappingGap& gap : message.gaps)
    gaps.add(cat(gap.what, ' ', gap.code, gap.label.empty() ? "" : " ", gap.label));
  outcome.set("gaps", std::move(gaps));
  return outcome;
}

core::Result<std::vector<FixtureOutcome>> rehearse_fixtures(core::Files& files,
                                                            const std::string& folder,
                                                            const Rehearse& rehearse) {
  GW_TRY(Profile profile, load_profile(files, folder));
  profile.revision = "(revision)";
  GW_TRY(const std::vector<std::string> names, files.list(folder + "/fixtures"));
  std::map<std::string, std::vector<std::string>> groups;
  for (const std::string& name : names) groups[name.substr(0, name.rfind('.'))].push_back(name);
  std::vector<FixtureOutcome> outcomes;
  for (auto& [stem, group] : groups) {
    std::sort(group.begin(), group.end());
    GW_TRY(FixtureOutcome one, rehearse_group(files, folder, stem, group, profile, rehearse));
    outcomes.push_back(std::move(one));
  }
  return outcomes;
}

}  // namespace gateway::adapters::profiles
