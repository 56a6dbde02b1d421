#include "daemon/api/dicomweb/place.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/split.h"
#include "core/text.h"

namespace gateway::daemon::dicomweb {
namespace {

using adapters::dicom::WebLevel;
using core::cat;
using core::Code;
using core::Error;

bool is_uid(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  return !text.empty() && text.size() <= kLongest && text.front() != '.' && text.back() != '.' &&
         text.find_first_not_of("0123456789.") == text.npos;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const Error& nothing_there() {
  static const Error error(Code::not_found,
                           "there is nothing here; DICOMweb knows /studies, /series and /instances "
                           "and what is below them (docs/dicom-conformance.md)");
  return error;
}

core::Result<std::vector<std::uint32_t>> frames_of(std::string_view list) {
  std::vector<std::uint32_t> frames;
  for (const std::string_view text : core::split(list, ',')) {
    const auto number = number_of<std::uint32_t>(text);
    if (!number || *number == 0)
      return Error(Code::invalid, "frames are numbers from 1 on, with commas in between");
    if (frames.size() == kFramesMax)
      return Error(Code::invalid, cat("more than ", kFramesMax, " frames; ask for fewer"));
    frames.push_back(*number);
  }
  return frames;
}

/// Goes through the path, a word or UID at a time.
class Path {
 public:
  explicit Path(std::string_view path) {
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    parts_ = core::split(path, '/');
  }
  bool at_end() const { return next_ == parts_.size(); }
  bool is(std::string_view word) {
    if (at_end() || parts_[next_] != word) return false;
    ++next_;
    return true;
  }
  /// Nothing at the end.
  std::string_view take() { return at_end() ? std::string_view() : parts_[next_++]; }

 private:
  std::vector<std::string_view> parts_;
  std::size_t next_ = 0;
};

core::Status take_uid(Path& path, std::string& uid) {
  uid = path.take();
  if (is_uid(uid)) return {};
  return Error(Code::invalid, "a UID of the address is none: digits and dots, at most 64");
}

core::Result<Place> part_of(Path& path, Place place) {
  place.kind = Kind::instances;
  if (path.at_end()) return place;
  const bool is_instance = place.level == WebLevel::instance;
  if (is_instance && path.is("frames")) {
    place.kind = Kind::frames;
    GW_TRY(place.frames, frames_of(path.take()));
    if (path.is("rendered")) place.kind = Kind::rendered;
    if (path.is("thumbnail")) place.kind = Kind::thumbnail;
  } else if (is_instance && path.is("bulkdata")) {
    place.kind = Kind::bulk;
    place.value = path.take();
  } else if (path.is("metadata")) {
    place.kind = Kind::metadata;
  } else if (path.is("thumbnail")) {
    place.kind = Kind::thumbnail;
  } else if (is_instance && path.is("rendered")) {
    place.kind = Kind::rendered;
  }
  const bool one_picture = place.kind == Kind::rendered || place.kind == Kind::thumbnail;
  if (!path.at_end() || place.kind == Kind::instances) return nothing_there();
  if (one_picture && place.frames.size() > 1)
    return Error(Code::invalid, "one frame is one picture; ask for each by itself");
  return place;
}

std::string value_of(const std::string& name, std::string value) {
  // Several UIDs stand between commas (PS3.18 8.3.4.1), which no UID has.
  if (name.ends_with("UID") || value.find_first_not_of("0123456789.,") == value.npos)
    std::replace(value.begin(), value.end(), ',', '\\');
  return value;
}

core::Status check_include(const std::string& value) {
  for (const std::string_view name : core::split(value, ',')) {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    if (name != "all" && !adapters::dicom::is_attribute(std::string(last)))
      return Error(Code::invalid, cat("includefield: \"", name, "\" is no attribute"));
  }
  return {};
}

}  // namespace

std::string Place::path() const {
  std::string text = cat("/studies/", study_uid);
  if (!series_uid.empty()) text += cat("/series/", series_uid);
  if (!sop_instance_uid.empty()) text += cat("/instances/", sop_instance_uid);
  return text;
}

core::Result<Place> place_of(std::string_view text) {
  Path path(text);
  Place place;
  if (path.is("studies")) {
    if (path.at_end()) return place;
    GW_CHECK(take_uid(path, place.study_uid));
    place.level = WebLevel::study;
  }
  const bool in_study = !place.study_uid.empty();
  if (path.is("series")) {
    place.level = WebLevel::series;
    if (path.at_end()) return place;
    GW_CHECK(take_uid(path, place.series_uid));
  }
  const bool in_series = !place.series_uid.empty();
  if (path.is("instances")) {
    place.level = WebLevel::instance;
    if (path.at_end()) return place;
    if (!in_study || !in_series) return nothing_there();
    GW_CHECK(take_uid(path, place.sop_instance_uid));
  }
  if (!in_study) return nothing_there();
  return part_of(path, std::move(place));
}

core::Result<Search> search_of(const Place& place, const sync::QueryPairs& pairs) {
  Search search;
  adapters::dicom::WebQuery& query = search.query;
  query.level = place.level;
  query.limit = kMatchesMax;
  if (!place.study_uid.empty()) query.keys.emplace_back("StudyInstanceUID", place.study_uid);
  if (!place.series_uid.empty()) query.keys.emplace_back("SeriesInstanceUID", place.series_uid);
  for (const auto& [name, value] : pairs) {
    if (name == "limit" || name == "offset") {
      const auto number = number_of<std::uint64_t>(value);
      if (!number) return Error(Code::invalid, cat(name, " must be a number from 0 on"));
      (name == "limit" ? query.limit : query.offset) = *number;
    } else if (name == "fuzzymatching") {
      search.fuzzy = value == "true";
    } else if (name == "includefield") {
      GW_CHECK(check_include(value));  // all that is known is always answered
    } else if (name != "accept" && name != "charset") {
      const auto same =
          std::find_if(query.keys.begin(), query.keys.end(),
                       [&wanted = name](const auto& key) { return key.first == wanted; });
      if (same == query.keys.end())
        query.keys.emplace_back(name, value_of(name, value));
      else
        same->second += cat("\\", value_of(name, value));
    }
  }
  query.limit = std::min(query.limit, kMatchesMax);
  return search;
}

}  // namespace gateway::daemon::dicomweb
