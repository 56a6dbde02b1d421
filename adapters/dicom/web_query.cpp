#include "adapters/dicom/web_query.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <array>
#include <charconv>
#include <optional>

#include "adapters/dicom/archive_walk.h"
#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/json_model.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

std::optional<DcmTag> tag_of(const std::string& name) {
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  if (name.size() == 8 && code == std::errc() && end == name.data() + name.size())
    return DcmTag(static_cast<Uint16>(number >> 16), static_cast<Uint16>(number & 0xffff));
  DcmTag tag;
  if (DcmTag::findTagFromName(name.c_str(), tag).bad()) return std::nullopt;
  return tag;
}

core::Result<std::unique_ptr<DcmDataset>> keys_of(const WebQuery& query) {
  auto keys = std::make_unique<DcmDataset>();
  for (const auto& [name, value] : query.keys) {
    const auto tag = tag_of(name);
    if (!tag || DcmVR(tag->getEVR()).getValidEVR() == EVR_SQ)
      return Error(Code::invalid, cat("\"", name,
                                      "\" is no attribute that can be asked for here; write its "
                                      "keyword or eight hexadecimal digits"));
    const OFCondition cond = value.empty() ? keys->insertEmptyElement(*tag)
                                           : keys->putAndInsertOFStringArray(*tag, value.c_str());
    if (cond.bad()) return Error(Code::invalid, cat("the value of ", name, " cannot be one of it"));
  }
  return keys;
}

std::string retrieve_url(DcmDataset& found, WebLevel level, const std::string& base) {
  std::string url = cat(base, "/studies/", text_of(found, DCM_StudyInstanceUID));
  if (level == WebLevel::study) return url;
  url += cat("/series/", text_of(found, DCM_SeriesInstanceUID));
  if (level == WebLevel::series) return url;
  return cat(url, "/instances/", text_of(found, DCM_SOPInstanceUID));
}

QueryLevel query_level_of(WebLevel level) {
  constexpr std::array kLevels = {QueryLevel::study, QueryLevel::series, QueryLevel::image};
  return kLevels[static_cast<std::size_t>(level)];
}

}  // namespace

bool is_attribute(const std::string& name) { return tag_of(name).has_value(); }

core::Result<WebMatches> query_archive(sync::Holdings& holdings, const WebQuery& query,
                                       const std::string& base,
                                       const std::function<bool()>& is_late) {
  GW_TRY(auto key_set, keys_of(query));
  const IdentifierKeys keys = IdentifierKeys::of(std::move(key_set));
  DcmDataset begin;
  (void)begin.putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
  WebMatches matches;
  std::uint64_t skipped = 0;
  const auto visit = [&](DcmDataset& found) {
    if (skipped < query.offset) {
      ++skipped;
      return Walk::on;
    }
    if (matches.matches.size() == query.limit) {
      matches.are_more = true;
      return Walk::over;
    }
    (void)found.putAndInsertString(DCM_RetrieveURL, retrieve_url(found, query.level, base).c_str());
    matches.matches.push_back(to_dicom_json(found, ""));
    return Walk::on;
  };
  ArchiveWalk walk(holdings, keys, query_level_of(query.level), begin, visit);
  walk.stop_when(is_late);
  GW_TRY(const Walk walked, walk.run());
  if (walked == Walk::over && !matches.are_more)
    return Error(Code::cancelled,
                 "the search goes through too much; name a study, a patient or a date");
  return matches;
}

}  // namespace gateway::adapters::dicom
