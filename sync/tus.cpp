#include "sync/tus.h"

#include <charconv>

#include "core/base64.h"
#include "core/text.h"

namespace gateway::sync::tus {
namespace {

/// Takes what stands before `separator` off `text`.
std::string_view take_word(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view word = text.substr(0, end);
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return core::trim(word);
}

}  // namespace

std::optional<std::uint64_t> count_of(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return count;
}

std::string metadata_pair(std::string_view key, std::string_view value) {
  return core::cat(key, ' ', core::to_base64(value));
}

std::optional<std::string> metadata_value(std::string_view metadata, std::string_view key) {
  while (!metadata.empty()) {
    std::string_view pair = take_word(metadata, ',');
    if (take_word(pair, ' ') == key) return core::from_base64(pair);
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> joined_paths(std::string_view concat) {
  constexpr std::string_view kFinal = "final;";
  if (!concat.starts_with(kFinal)) return std::nullopt;
  concat.remove_prefix(kFinal.size());
  std::vector<std::string> paths;
  while (!concat.empty()) {
    const std::string_view url = take_word(concat, ' ');
    if (!url.empty()) paths.push_back(path_of_url(url, "/"));
  }
  return paths;
}

std::string path_of_url(std::string_view url, std::string_view base) {
  const auto scheme = url.find("://");
  if (scheme != url.npos) {
    const auto slash = url.find('/', scheme + 3);
    return std::string(slash == url.npos ? "/" : url.substr(slash));
  }
  if (url.starts_with('/')) return std::string(url);
  return core::cat(base.substr(0, base.rfind('/') + 1), url);
}

bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (take_word(list, ',') == word) return true;
  }
  return false;
}

}  // namespace gateway::sync::tus
