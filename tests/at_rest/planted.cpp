#include "tests/at_rest/planted.h"

#include <bitset>

#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::at_rest {

using core::cat;

const std::array<Person, 8> kPersons = {{
    {"Villarrubiales", "Maximiliana", "CLINICPAT00077", "1980-01-02", "ACC-77-KRAKEN"},
    {"Ångströmsdottir", "Þórgunnur", "CLINICPAT00178", "1931-07-19", "ACC-178-WALRUS"},
    {"Ködderitzsch", "Hieronymus", "CLINICPAT00279", "1944-11-30", "ACC-279-GANNET"},
    {"Σταματόπουλος", "Αριστοτέλης", "CLINICPAT00380", "1957-03-08", "ACC-380-PETREL"},
    {"Чернышевская", "Аполлинария", "CLINICPAT00481", "1968-12-24", "ACC-481-DUNLIN"},
    {"山田花子太郎", "ヤマダハナコ", "CLINICPAT00582", "1999-05-31", "ACC-582-CURLEW"},
    {"Nguyễn-Phước", "Tường-Lân", "CLINICPAT00683", "2004-02-29", "ACC-683-PLOVER"},
    {"O'Shaughnessy-Quirke", "Bartholomew", "CLINICPAT00784", "2019-10-10", "ACC-784-DOTTREL"},
}};

const std::array<std::string_view, 4> kPixelRuns = {
    "the run of pixels a thief would look for", "a second run: bone, soft tissue, bone, air",
    "a third run that repeats repeats repeats", "a fourth run of sixteen bit grey values"};

const std::array<std::string_view, 4> kNotes = {
    "PID|1||CLINICPAT00077^^^SATELLITE^MR||VILLARRUBIALES^MAXIMILIANA",
    "OBX|1|NM|4548-4^HbA1c^LN||9.7|%|4.0-5.6|HH|||F",
    "reports a metastasis in the left femur, daughter not to be told",
    "calle de la Cigüeña 17, bajo izquierda, Alcobendas"};

std::string dicom_name(const Person& person) { return cat(person.family, '^', person.given); }

const crypto::RecoveryCode& recovery_code() {
  static const crypto::RecoveryCode code = crypto::RecoveryCode::random();
  return code;
}

namespace {

std::vector<std::string> all_planted() {
  std::vector<std::string> all;
  for (const Person& person : kPersons) {
    for (std::string_view text :
         {person.family, person.given, person.id, person.birth_date, person.accession}) {
      all.emplace_back(text);
    }
  }
  for (std::string_view text : kPixelRuns) all.emplace_back(text);
  for (std::string_view text : kNotes) all.emplace_back(text);
  for (std::string_view text : {kUidRoot, kCallingTitle, kPassphrase}) all.emplace_back(text);
  all.emplace_back(crypto::as_text(crypto::write_recovery_code(recovery_code()).bytes()));
  all.emplace_back(crypto::as_text(recovery_code().bits.bytes()));
  return all;
}

void append_utf16(std::string& out, unsigned code) {
  out += static_cast<char>(code & 0xff);
  out += static_cast<char>(code >> 8);
}

/// Of the basic plane, which is all that is planted; a raw secret counts as Latin-1.
std::string utf16le(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
    };
    if ((at(0) & 0xe0U) == 0xc0U) {
      append_utf16(out, ((at(0) & 0x1fU) << 6) | (at(1) & 0x3fU));
      i += 2;
    } else if ((at(0) & 0xf0U) == 0xe0U) {
      append_utf16(out, ((at(0) & 0x0fU) << 12) | ((at(1) & 0x3fU) << 6) | (at(2) & 0x3fU));
      i += 3;
    } else {
      append_utf16(out, at(0));
      i += 1;
    }
  }
  return out;
}

/// What of the text's base64 does not depend on its neighbours, when it begins `offset` bytes into
/// a group of three.
std::string base64_core(std::string_view text, std::size_t offset) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = (3 - offset) % 3; at + 3 <= text.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | static_cast<unsigned char>(text[at + k]);
    }
    for (int shift = 18; shift >= 0; shift -= 6) out += kLetters[(group >> shift) & 63U];
  }
  return out;
}

/// Looks for all of them in one pass: two bytes decide whether a place is worth a comparison.
class Scanner {
 public:
  Scanner() {
    for (const std::string& text : planted()) {
      for (std::string& form : forms_of(text)) {
        const auto begin = pair_at(form, 0);
        begins_.set(begin);
        patterns_[begin].push_back({std::move(form), text});
      }
    }
  }

  std::string find(std::string_view bytes) const {
    for (std::size_t at = 0; at + 1 < bytes.size(); ++at) {
      const std::size_t pair = pair_at(bytes, at);
      if (!begins_.test(pair)) continue;
      for (const Pattern& pattern : patterns_.at(pair)) {
        if (bytes.substr(at).starts_with(pattern.form)) return pattern.text;
      }
    }
    return "";
  }

 private:
  struct Pattern {
    std::string form;
    std::string text;
  };
  static std::size_t pair_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) << 8 |
           static_cast<unsigned char>(bytes[at + 1]);
  }

  std::bitset<65536> begins_;
  std::map<std::size_t, std::vector<Pattern>> patterns_;
};

}  // namespace

const std::vector<std::string>& planted() {
  static const std::vector<std::string> all = all_planted();
  return all;
}

std::vector<std::string> forms_of(std::string_view text) {
  std::vector<std::string> forms{std::string(text), utf16le(text)};
  for (std::size_t offset : {0U, 1U, 2U}) forms.push_back(base64_core(text, offset));
  return forms;
}

std::string find_planted(std::string_view bytes) {
  static const Scanner scanner;
  return scanner.find(bytes);
}

std::string find_planted(const std::map<std::string, std::string>& files) {
  for (const auto& [path, content] : files) {
    for (std::string_view bytes : {std::string_view(path), std::string_view(content)}) {
      const std::string found = find_planted(bytes);
      if (!found.empty()) return cat(path, ": ", found);
    }
  }
  return "";
}

}  // namespace gateway::at_rest
