// An HL7 v2 message as a tree that is cut while it is read (HL7 v2.8 chapter 2.5 to 2.7): segments,
// fields, repetitions, components, subcomponents. Delimiters come from MSH-1 and MSH-2. Nothing is
// copied but the text itself; what is read is what was sent, escapes are resolved by text().
//
// Tolerated: CR, LF or CRLF between segments; a line break inside a field (a line that begins with
// no segment's name and field separator continues the one before; a name alone on its line begins a
// segment only where it is a usual one); blanks before a segment's name; fields, components and
// segments nobody defined.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::adapters::hl7 {

struct Delimiters {
  char field = '|';
  char component = '^';
  char repetition = '~';
  char escape = '\\';
  char subcomponent = '&';
  bool operator==(const Delimiters&) const = default;
};

/// A field, repetition, component or subcomponent. Valid while its message is. What is not there
/// reads as empty.
class Piece {
 public:
  Piece() = default;
  Piece(std::string_view raw, const Delimiters* delimiters) : raw_(raw), delimiters_(delimiters) {}

  bool empty() const { return raw_.empty(); }
  /// `""`: the sender wants what was there deleted.
  bool is_null() const { return raw_ == "\"\""; }
  /// Neither empty nor null.
  bool has_value() const { return !empty() && !is_null(); }
  std::string_view raw() const { return raw_; }
  /// The text with its escapes resolved, without blanks around it; empty for null. A subcomponent
  /// delimiter inside stands for itself.
  std::string text() const;
  /// text() of the first component's first subcomponent of the first repetition.
  std::string first() const { return repetition(0).component(1).subcomponent(1).text(); }

  std::size_t repetitions() const;
  Piece repetition(std::size_t index) const;     // from 0
  Piece component(std::size_t number) const;     // from 1, of the first repetition
  Piece subcomponent(std::size_t number) const;  // from 1
  std::size_t components() const;

 private:
  Piece part(char delimiter, std::size_t index) const;
  std::string_view raw_;
  const Delimiters* delimiters_ = nullptr;
};

struct Segment {
  std::string_view name;                 // three characters
  std::vector<std::string_view> fields;  // [0] is the name; MSH and its like: [1] the delimiter
  const Delimiters* delimiters = nullptr;

  /// Numbered as the standard does: segment.field(3) is PID-3.
  Piece field(std::size_t number) const {
    return number < fields.size() ? Piece(fields[number], delimiters) : Piece();
  }
};

class Message {
 public:
  /// `text` is one message: UTF-8, beginning with MSH. Code::invalid: it does not, or MSH is cut.
  static core::Result<std::shared_ptr<const Message>> parse(std::string text);
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const Delimiters& delimiters() const { return delimiters_; }
  const std::vector<Segment>& segments() const { return segments_; }
  const Segment& header() const { return segments_.front(); }
  /// The first segment of that name; null when there is none.
  const Segment* find(std::string_view name) const;
  /// "ORU^R01"; MSH-9.1 alone where there is no event.
  std::string type() const;
  std::string_view text() const { return text_; }

 private:
  explicit Message(std::string text) : text_(std::move(text)) {}
  std::string text_;
  Delimiters delimiters_;
  std::vector<Segment> segments_;
};

/// The messages of one frame: most hold one; a batch (FHS, BHS ... BTS, FTS) or a careless sender
/// several. Each begins with MSH and the first header's field separator, or delimiters of its own.
/// Empty when there is none.
std::vector<std::string> split_messages(std::string_view text);

/// The parts of one message that may be of several patients (ORU^R01, HL7 v2.8 7.3.1; ADT^A40,
/// 3.3.40): each what stands before the first PID, and one PID with what follows it. Empty for any
/// other type, and where there is no PID or there are too many.
std::vector<std::string> split_patients(std::string_view text);

/// `text` with the message's delimiters escaped, for answers.
std::string escape_text(std::string_view text, const Delimiters& delimiters);

}  // namespace gateway::adapters::hl7
