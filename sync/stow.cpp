#include "sync/stow.h"

namespace gateway::sync {
namespace {

using core::Json;

std::string referenced_uid(const Json& item) {
  return std::string(item["00081155"]["Value"][0].text());
}

StowVerdict verdict_of(unsigned reason) {
  if (reason == 0x0111)
    return StowVerdict::already_there;  // duplicate SOP instance: true only after a check
  if (reason == 0x0110 || (reason >= 0xA700 && reason <= 0xA7FF)) return StowVerdict::try_later;
  return StowVerdict::refused;
}

}  // namespace

std::map<std::string, StowInstance> read_stow_answer(const Json& dataset) {
  std::map<std::string, StowInstance> instances;
  // Some servers answer a list of one data set.
  const Json& answer = dataset.is_array() ? dataset[std::size_t{0}] : dataset;
  for (const Json& item : answer["00081199"]["Value"].items()) instances[referenced_uid(item)] = {};
  for (const Json& item : answer["00081198"]["Value"].items()) {
    const auto reason =
        static_cast<unsigned>(item["00081197"]["Value"][0].integer().value_or(0x0110));
    instances[referenced_uid(item)] = {verdict_of(reason), reason};
  }
  instances.erase("");
  return instances;
}

}  // namespace gateway::sync
