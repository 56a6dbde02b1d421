#include "adapters/astm/records.h"

#include <algorithm>
#include <cctype>

#include "adapters/mapping/delimited_text.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using mapping::cut;
using mapping::next_line;
using mapping::without_blanks_before;

constexpr std::size_t kRecordsMax = 20'000;
constexpr std::size_t kFieldsMax = 400'000;
constexpr std::size_t kRepeatsMax = 1'000;

char type_of(std::string_view line) {
  line = without_blanks_before(line);
  if (line.empty()) return 0;
  return static_cast<char>(std::toupper(static_cast<unsigned char>(line[0])));
}

core::Result<Delimiters> read_delimiters(std::string_view header) {
  const core::Error wrong(core::Code::invalid, "the header record names no delimiters");
  if (header.size() < 3) return wrong;
  Delimiters delimiters;
  delimiters.field = header[1];
  std::string named(header.substr(2, header.find(delimiters.field, 2) - 2));
  // Seen: |\\^&, the repeat delimiter as a programmer writes it.
  if (named.size() > 3 && named[0] == named[1]) named.erase(0, 1);
  const auto is_delimiter = [](char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; };
  if (!is_delimiter(delimiters.field) || !std::all_of(named.begin(), named.end(), is_delimiter))
    return wrong;
  char* const order[] = {&delimiters.repeat, &delimiters.component, &delimiters.escape};
  for (std::size_t i = 0; i < named.size() && i < std::size(order); ++i) *order[i] = named[i];
  return delimiters;
}

/// What stands between two escape delimiters (LIS02-A2 5.4.6); nothing: it is no escape.
bool append_escape(std::string_view sequence, const Delimiters& d, std::string& out) {
  if (sequence == "F") return out += d.field, true;
  if (sequence == "S") return out += d.component, true;
  if (sequence == "R") return out += d.repeat, true;
  if (sequence == "E") return out += d.escape, true;
  if (sequence == "H" || sequence == "N") return true;  // highlighting
  if (sequence.size() < 3 || sequence[0] != 'X') return false;
  const std::string bytes = core::from_hex(core::to_lower_ascii(sequence.substr(1)));
  const bool is_text = !bytes.empty() && std::all_of(bytes.begin(), bytes.end(),
                                                     [](char c) { return c >= 0x20 || c == '\t'; });
  if (is_text) out += bytes;
  return is_text;
}

std::string unescape(std::string_view raw, const Delimiters& delimiters) {
  std::string out;
  while (true) {
    const auto begin = raw.find(delimiters.escape);
    out += raw.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const auto end = raw.find(delimiters.escape, begin + 1);
    const bool is_escape = end != std::string_view::npos &&
                           append_escape(raw.substr(begin + 1, end - begin - 1), delimiters, out);
    if (!is_escape) out += delimiters.escape;
    raw.remove_prefix(is_escape ? end + 1 : begin + 1);
  }
}

}  // namespace

Field Field::part(char delimiter, std::size_t index) const {
  return {mapping::piece(raw_, delimiter, index), delimiters_};
}

std::string Field::text() const {
  if (raw_.empty() || delimiters_ == nullptr) return {};
  return std::string(core::trim(unescape(raw_, *delimiters_)));
}

std::size_t Field::repeats() const {
  return delimiters_ == nullptr ? 0 : mapping::pieces(raw_, delimiters_->repeat);
}

Field Field::repeat(std::size_t index) const {
  return delimiters_ == nullptr ? Field() : part(delimiters_->repeat, index);
}

Field Field::component(std::size_t number) const {
  if (delimiters_ == nullptr || number == 0) return {};
  return repeat(0).part(delimiters_->component, number - 1);
}

std::size_t Field::components() const {
  return delimiters_ == nullptr ? 0 : mapping::pieces(repeat(0).raw(), delimiters_->component);
}

std::string Field::first() const {
  for (std::size_t number = 1; number <= components(); ++number) {
    if (std::string text = component(number).text(); !text.empty()) return text;
  }
  return {};
}

core::Result<std::shared_ptr<const Message>> Message::parse(std::string text) {
  std::shared_ptr<Message> message(new Message(std::move(text)));
  std::string_view rest = message->text_;
  const Delimiters& d = message->delimiters_;
  std::size_t fields = 0;
  while (!rest.empty()) {
    const std::string_view line = without_blanks_before(next_line(rest));
    if (line.empty()) continue;
    if (message->records_.empty()) {
      if (type_of(line) != 'H')
        return core::Error(core::Code::invalid, "the message does not begin with a header record");
      GW_TRY(message->delimiters_, read_delimiters(line));
    }
    message->records_.push_back({type_of(line), line, cut(line, d.field), &d});
    for (const std::string_view field : message->records_.back().fields) {
      const bool is_header = message->records_.size() == 1;
      if (!is_header && Field(field, &d).repeats() > kRepeatsMax)
        return core::Error(core::Code::invalid, "a field of the message has too many repeats");
    }
    fields += message->records_.back().fields.size();
    if (message->records_.size() > kRecordsMax || fields > kFieldsMax)
      return core::Error(core::Code::invalid, "the message has too many records or fields");
  }
  if (message->records_.empty()) return core::Error(core::Code::invalid, "the message is empty");
  return std::shared_ptr<const Message>(std::move(message));
}

std::size_t whole_messages(std::string_view text) {
  std::size_t end = 0;
  std::string_view rest = text;
  bool is_open = false;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const char type = type_of(line);
    const bool has_end = line.data() + line.size() < text.data() + text.size();
    if (type == 'H') is_open = true;
    if (type != 'L' || !is_open || !has_end) continue;
    is_open = false;
    end = text.size() - rest.size();
  }
  return end;
}

std::vector<std::string> split_messages(std::string_view text) {
  std::vector<std::string> messages;
  std::string header;
  bool has_patient = false;
  std::size_t first = 0;  // of the messages under this header
  while (!text.empty()) {
    const std::string_view whole = text;
    const char type = type_of(next_line(text));
    const std::string_view line = whole.substr(0, whole.size() - text.size());
    if (type == 'H') {
      header = std::string(line);
      has_patient = false;
      first = messages.size();
      messages.push_back(header);
    } else if (type == 'P' && has_patient) {
      messages.push_back(cat(header, line));
    } else if (type == 'L' && !messages.empty()) {
      for (std::size_t i = first; i < messages.size(); ++i) messages[i] += line;
    } else if (messages.empty()) {
      messages.emplace_back(line);
    } else {
      messages.back() += line;
    }
    has_patient = has_patient || type == 'P';
  }
  return messages;
}

std::string escape_text(std::string_view text) {
  const Delimiters d;
  std::string out;
  for (const char c : text) {
    const char name = c == d.field       ? 'F'
                      : c == d.component ? 'S'
                      : c == d.repeat    ? 'R'
                      : c == d.escape    ? 'E'
                                         : '\0';
    if (name != '\0') {
      out += cat(d.escape, name, d.escape);
    } else {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

std::string value_at(const std::vector<const Record*>& records, const profiles::Place& place) {
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (place.record != std::string_view(&(*record)->type, 1)) continue;
    const Field field = (*record)->field(place.field);
    std::string text =
        place.component == 0 ? field.first() : field.component(place.component).text();
    if (!text.empty()) return text;
  }
  return {};
}

bool holds(const std::vector<const Record*>& records, const profiles::FieldTest& test) {
  return profiles::holds(test, [&](const auto& place) { return value_at(records, place); });
}

std::string value_by(const std::vector<const Record*>& records,
                     const std::vector<profiles::FieldRule>& rules) {
  return profiles::value_by(rules, [&](const auto& place) { return value_at(records, place); });
}

}  // namespace gateway::adapters::astm
