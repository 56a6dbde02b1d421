// An E1394 message (LIS02-A2) as records and fields. Delimiters come from the header's second
// field: repeat, component, escape, as some senders write it doubled. Nothing is copied but the
// text; escapes are resolved by text(). Fields are counted as the standard does: the record's type
// is field 1.
//
// Tolerated: CR, LF or CRLF between records, lower-case record types, fields nobody defined, blanks
// before a record.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/profiles/profile.h"
#include "core/result.h"

namespace gateway::adapters::astm {

struct Delimiters {
  char field = '|';
  char repeat = '\\';
  char component = '^';
  char escape = '&';
};

/// A field, one of its repeats or a component. Valid while its message is; what is not there is
/// empty.
class Field {
 public:
  Field() = default;
  Field(std::string_view raw, const Delimiters* delimiters) : raw_(raw), delimiters_(delimiters) {}

  std::string_view raw() const { return raw_; }
  /// Escapes resolved, without blanks around it.
  std::string text() const;
  std::size_t repeats() const;
  Field repeat(std::size_t index) const;      // from 0
  Field component(std::size_t number) const;  // from 1, of the first repeat
  std::size_t components() const;
  /// text() of the first component that has one.
  std::string first() const;

 private:
  Field part(char delimiter, std::size_t index) const;
  std::string_view raw_;
  const Delimiters* delimiters_ = nullptr;
};

struct Record {
  char type = 0;  // 'H', 'P', 'O', 'R', 'C', 'Q', 'M', 'S', 'L', or what the device invented
  std::string_view raw;
  std::vector<std::string_view> fields;  // [0] is the type
  const Delimiters* delimiters = nullptr;

  Field field(std::size_t number) const {
    if (number == 0 || number > fields.size()) return {};
    return {fields[number - 1], delimiters};
  }
};

class Message {
 public:
  /// `text` is UTF-8. Code::invalid: it does not begin with H, or is too large.
  static core::Result<std::shared_ptr<const Message>> parse(std::string text);
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const Record& header() const { return records_.front(); }
  const std::vector<Record>& records() const { return records_; }

 private:
  explicit Message(std::string text) : text_(std::move(text)) {}
  const std::string text_;
  Delimiters delimiters_;
  std::vector<Record> records_;
};

/// How far `text` holds whole messages: behind its last terminator record (L); 0: none ends yet.
std::size_t whole_messages(std::string_view text);
/// One message per header and patient: each begins with its H, and ends with its L where there is
/// one, as sent. A text without H comes out whole.
std::vector<std::string> split_messages(std::string_view text);

/// `text` with the delimiters escaped (LIS02-A2 5.4.6), without line ends.
std::string escape_text(std::string_view text);

/// The text at a place of these records: the last of its type that has one; empty: none. A whole
/// field answers first().
std::string value_at(const std::vector<const Record*>& records, const profiles::Place& place);
/// The first rule whose condition holds and whose place has a value.
std::string value_by(const std::vector<const Record*>& records,
                     const std::vector<profiles::FieldRule>& rules);
bool holds(const std::vector<const Record*>& records, const profiles::FieldTest& test);

}  // namespace gateway::adapters::astm
