// What a client takes: the Accept header with DICOMweb's multipart types and transfer syntaxes
// (RFC 9110 12.5.1, PS3.18 8.7). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::daemon::dicomweb {

struct MediaRange {
  std::string type;                  // "multipart/related", "image/*"; lower case
  std::string part = {};             // of multipart/related: the type of its parts; empty: any
  std::string transfer_syntax = {};  // "*": any; empty: not said
  int quality = 1'000;
};

/// The best first, those that are not wanted (q=0) left out. An empty header takes everything.
std::vector<MediaRange> parse_accept(std::string_view header);

/// Does "image/*" or "*/*" or the very same take `type`?
bool takes(std::string_view range, std::string_view type);

/// The first of `offered` that the client likes best; nothing: none.
std::optional<std::string> choose(const std::vector<MediaRange>& accepted,
                                  const std::vector<std::string>& offered);

/// In which transfer syntaxes instances may come, the best first: "*" is as they are held.
/// `multipart`: as parts, else as the body.
std::vector<std::string> instance_syntaxes(const std::vector<MediaRange>& accepted, bool multipart);

/// How a frame held in `transfer_syntax` may come: as held, or decoded; nothing: neither.
enum class FrameForm { as_held, decoded };
std::optional<FrameForm> frame_form(const std::vector<MediaRange>& accepted,
                                    const std::string& transfer_syntax,
                                    const std::string& media_type, bool can_decode);

}  // namespace gateway::daemon::dicomweb
