#include "adapters/hl7/message.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "adapters/mapping/delimited_text.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using mapping::cut;
using mapping::next_line;
using mapping::without_blanks_before;

// A message of the limit's 16 MiB made of nothing but line ends must not cost gigabytes.
constexpr std::size_t kSegmentsMax = 100'000;
constexpr std::size_t kFieldsMax = 1'000'000;
// Each repetition is looked up from its field's beginning.
constexpr std::size_t kRepetitionsMax = 10'000;
// What stands before the first patient is copied for each.
constexpr std::size_t kPatientsMax = 1'000;
constexpr std::size_t kPatientHeadMax = 16'384;

bool is_name_character(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Behind what may end in a text that is cut into lines ("NEG", "POS"), three letters alone on a
/// line are a segment without fields only where they are a name that stands so.
bool is_bare_segment(std::string_view name) {
  constexpr std::array<std::string_view, 30> kNames{
      "AIG", "AIL", "AIP", "AIS", "AL1", "BTS", "DG1", "DSC", "EVN", "FTS",
      "IN1", "MRG", "NK1", "NTE", "OBR", "OBX", "ORC", "PD1", "PID", "PRD",
      "PV1", "PV2", "RCP", "RGS", "RXA", "RXR", "SAC", "SFT", "SPM", "TQ1"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool may_end_in_text(std::string_view segment) {
  return segment == "OBX" || segment == "NTE" || segment == "TXA";
}

/// True when the line begins with a segment's name. `before`: the segment it stands behind.
bool begins_segment(std::string_view line, char separator, std::string_view before) {
  if (line.size() < 3 || !(line[0] >= 'A' && line[0] <= 'Z')) return false;
  if (!is_name_character(line[1]) || !is_name_character(line[2])) return false;
  if (line.size() > 3) return line[3] == separator;
  return is_bare_segment(line) || !may_end_in_text(before);
}

// Where it is not known what a line stands behind.
constexpr std::string_view kAnyText = "OBX";

bool is_batch_segment(std::string_view name) {
  return name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS";
}

/// The bytes of \Xhh...\ as UTF-8: as they are where they are that, else each as Latin-1.
std::string text_of_hex(std::string_view hex) {
  std::string lower = core::to_lower_ascii(hex);
  std::string bytes = core::from_hex(lower);
  const bool ascii = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0; });
  if (ascii) return bytes;
  std::string text;
  for (const char c : bytes) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | (code >> 6));
      text += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return text;
}

/// Appends what one escape sequence (without its escape characters) stands for; false: it is none.
bool resolve(std::string_view sequence, const Delimiters& delimiters, std::string& out) {
  if (sequence == "F") return out += delimiters.field, true;
  if (sequence == "S") return out += delimiters.component, true;
  if (sequence == "T") return out += delimiters.subcomponent, true;
  if (sequence == "R") return out += delimiters.repetition, true;
  if (sequence == "E") return out += delimiters.escape, true;
  if (sequence == "P") return out += '#', true;
  if (sequence == "H" || sequence == "N") return true;  // highlighting
  if (sequence == ".br" || sequence.starts_with(".sp") || sequence == ".ce")
    return out += '\n', true;
  if (sequence.starts_with(".in") || sequence.starts_with(".ti") || sequence.starts_with(".sk") ||
      sequence == ".fi" || sequence == ".nf")
    return out += ' ', true;
  if (sequence.size() > 1 && sequence[0] == 'X') {
    const std::string text = text_of_hex(sequence.substr(1));
    return out += text, !text.empty();
  }
  return false;
}

std::string unescape(std::string_view raw, const Delimiters& delimiters) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    const auto begin = raw.find(delimiters.escape);
    out += raw.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const auto end = raw.find(delimiters.escape, begin + 1);
    if (end == std::string_view::npos ||
        !resolve(raw.substr(begin + 1, end - begin - 1), delimiters, out)) {
      out += delimiters.escape;  // none of ours: it stands for itself
      raw.remove_prefix(begin + 1);
      continue;
    }
    raw.remove_prefix(end + 1);
  }
  return out;
}

/// MSH, FHS and BHS count their delimiter as field 1 and never cut field 2.
Segment cut_header(std::string_view line, const Delimiters& delimiters) {
  Segment segment{line.substr(0, 3), {}, &delimiters};
  segment.fields = cut(line, delimiters.field);
  segment.fields.insert(segment.fields.begin() + 1, line.substr(3, 1));
  return segment;
}

core::Result<Delimiters> read_delimiters(std::string_view header) {
  if (header.size() < 8) return core::Error(core::Code::invalid, "MSH ends before its delimiters");
  Delimiters delimiters;
  delimiters.field = header[3];
  const std::string_view encoding = header.substr(4, header.find(delimiters.field, 4) - 4);
  const auto is_delimiter = [](char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; };
  if (!is_delimiter(delimiters.field) || encoding.empty() ||
      !std::all_of(encoding.begin(), encoding.end(), is_delimiter)) {
    return core::Error(core::Code::invalid, "MSH-1 and MSH-2 name no delimiters");
  }
  char* const order[] = {&delimiters.component, &delimiters.repetition, &delimiters.escape,
                         &delimiters.subcomponent};
  for (std::size_t i = 0; i < encoding.size() && i < std::size(order); ++i) *order[i] = encoding[i];
  return delimiters;
}

/// By MSH-9, whether the message is of a type that repeats its patients.
bool may_be_of_several(std::string_view header) {
  if (header.size() < 8 || !header.starts_with("MSH")) return false;
  const std::string_view type = mapping::piece(header, header[3], 8);
  const std::string_view name = core::trim(mapping::piece(type, header[4], 0));
  const std::string_view event = core::trim(mapping::piece(type, header[4], 1));
  return (name == "ORU" && (event.empty() || event == "R01")) || (name == "ADT" && event == "A40");
}

}  // namespace

Piece Piece::part(char delimiter, std::size_t index) const {
  return {mapping::piece(raw_, delimiter, index), delimiters_};
}

std::string Piece::text() const {
  if (!has_value() || delimiters_ == nullptr) return {};
  return std::string(core::trim(unescape(raw_, *delimiters_)));
}

std::size_t Piece::repetitions() const {
  return delimiters_ == nullptr ? 0 : mapping::pieces(raw_, delimiters_->repetition);
}

Piece Piece::repetition(std::size_t index) const {
  return delimiters_ == nullptr ? Piece() : part(delimiters_->repetition, index);
}

Piece Piece::component(std::size_t number) const {
  if (delimiters_ == nullptr || number == 0) return {};
  return repetition(0).part(delimiters_->component, number - 1);
}

Piece Piece::subcomponent(std::size_t number) const {
  return delimiters_ == nullptr || number == 0 ? Piece()
                                               : part(delimiters_->subcomponent, number - 1);
}

std::size_t Piece::components() const {
  return delimiters_ == nullptr ? 0 : mapping::pieces(repetition(0).raw(), delimiters_->component);
}

core::Result<std::shared_ptr<const Message>> Message::parse(std::string text) {
  std::shared_ptr<Message> message(new Message(std::move(text)));
  std::string_view rest = message->text_;
  std::string_view header = without_blanks_before(next_line(rest));
  if (!header.starts_with("MSH"))
    return core::Error(core::Code::invalid, "the message does not begin with MSH");
  GW_TRY(message->delimiters_, read_delimiters(header));
  const Delimiters& delimiters = message->delimiters_;
  message->segments_.push_back(cut_header(header, delimiters));
  std::size_t fields = 0;
  while (!rest.empty()) {
    std::string_view line = without_blanks_before(next_line(rest));
    if (!begins_segment(line, delimiters.field, message->segments_.back().name)) continue;
    // What follows without a segment's name belongs to this one's last field.
    while (!rest.empty()) {
      std::string_view ahead = rest;
      const std::string_view next = without_blanks_before(next_line(ahead));
      if (next.empty()) {  // between paragraphs
        rest = ahead;
        continue;
      }
      if (begins_segment(next, delimiters.field, line.substr(0, 3))) break;
      line = {line.data(), static_cast<std::size_t>(next.data() + next.size() - line.data())};
      rest = ahead;
    }
    message->segments_.push_back({line.substr(0, 3), cut(line, delimiters.field), &delimiters});
    fields += message->segments_.back().fields.size();
    for (const std::string_view field : message->segments_.back().fields) {
      if (Piece(field, &delimiters).repetitions() > kRepetitionsMax)
        return core::Error(core::Code::invalid, "a field of the message has too many repetitions");
    }
    if (message->segments_.size() > kSegmentsMax || fields > kFieldsMax)
      return core::Error(core::Code::invalid, "the message has too many segments or fields");
  }
  return std::shared_ptr<const Message>(std::move(message));
}

const Segment* Message::find(std::string_view name) const {
  const auto found = std::find_if(segments_.begin(), segments_.end(),
                                  [&](const Segment& segment) { return segment.name == name; });
  return found == segments_.end() ? nullptr : &*found;
}

std::string Message::type() const {
  const Piece type = header().field(9);
  const std::string event = type.component(2).text();
  return event.empty() ? type.component(1).text() : core::cat(type.component(1).text(), '^', event);
}

std::vector<std::string> split_messages(std::string_view text) {
  std::vector<std::string> messages;
  char separator = '\0';  // the first header's
  while (!text.empty()) {
    const std::string_view whole = text;
    const std::string_view line = without_blanks_before(next_line(text));
    const std::string_view name = line.substr(0, 3);
    if (separator == '\0' && line.size() > 3 && (name == "MSH" || is_batch_segment(name)))
      separator = line[3];
    // "MSH2: lost" is a line of somebody's report.
    const bool is_segment = separator != '\0' && begins_segment(line, separator, kAnyText);
    if (name == "MSH" && (is_segment || read_delimiters(line).ok())) {
      messages.emplace_back();
    } else if (is_segment && is_batch_segment(name)) {
      continue;
    }
    if (messages.empty()) continue;
    if (messages.back().empty()) {
      messages.back() = std::string(line) + '\r';
    } else {
      messages.back() += whole.substr(0, whole.size() - text.size());
    }
  }
  return messages;
}

std::vector<std::string> split_patients(std::string_view text) {
  std::string head;
  std::vector<std::string> parts;
  char separator = '\0';
  while (!text.empty()) {
    const std::string_view whole = text;
    const std::string_view line = without_blanks_before(next_line(text));
    if (separator == '\0') {
      if (!may_be_of_several(line)) return {};
      separator = line[3];
    } else if (line.starts_with("PID") && begins_segment(line, separator, kAnyText)) {
      if (parts.size() == kPatientsMax || head.size() > kPatientHeadMax) return {};
      parts.push_back(head);
    }
    (parts.empty() ? head : parts.back()) += whole.substr(0, whole.size() - text.size());
  }
  return parts;
}

std::string escape_text(std::string_view text, const Delimiters& delimiters) {
  std::string out;
  for (const char c : text) {
    const auto sequence = c == delimiters.field          ? 'F'
                          : c == delimiters.component    ? 'S'
                          : c == delimiters.subcomponent ? 'T'
                          : c == delimiters.repetition   ? 'R'
                          : c == delimiters.escape       ? 'E'
                                                         : '\0';
    if (sequence != '\0') {
      out += core::cat(delimiters.escape, sequence, delimiters.escape);
    } else {
      out += c == '\r' || c == '\n' ? ' ' : c;
    }
  }
  return out;
}

}  // namespace gateway::adapters::hl7
