#include "adapters/mapping/ucum.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace gateway::adapters::mapping {
namespace {

/// Codes that are UCUM as they stand; compared exactly, also with "l" for "L".
constexpr std::array<std::string_view, 62> kCodes{
    "%",       "g/L",     "g/dL",     "mg/L",    "mg/dL",   "ug/L",   "ug/dL",   "ng/mL",
    "ng/L",    "ng/dL",   "pg/mL",    "pg",      "fL",      "mol/L",  "mmol/L",  "umol/L",
    "nmol/L",  "pmol/L",  "mmol/mol", "U/L",     "kU/L",    "mU/L",   "U/mL",    "[IU]/L",
    "[IU]/mL", "m[IU]/L", "u[IU]/mL", "10*3/uL", "10*6/uL", "10*9/L", "10*12/L", "/uL",
    "/min",    "/h",      "/d",       "s",       "min",     "h",      "d",       "wk",
    "mo",      "a",       "kg",       "g",       "mg",      "ug",     "mL",      "L",
    "mm[Hg]",  "kPa",     "cm[H2O]",  "Cel",     "[degF]",  "K",      "cm",      "mm",
    "m",       "kg/m2",   "mL/min",   "L/min",   "mm/h",    "1"};

struct Synonym {
  std::string_view sent;  // lower case, without blanks
  std::string_view code;
};
/// What devices write; the magnitude is the same.
constexpr std::array<Synonym, 62> kSynonyms{{
    {"beats/min", "/min"},
    {"bpm", "/min"},
    {"beat/min", "/min"},
    {"1/min", "/min"},
    {"breaths/min", "/min"},
    {"rpm", "/min"},
    {"mmhg", "mm[Hg]"},
    {"mm(hg)", "mm[Hg]"},
    {"mm hg", "mm[Hg]"},
    {"cmh2o", "cm[H2O]"},
    {"cm(h2o)", "cm[H2O]"},
    {"degc", "Cel"},
    {"cel", "Cel"},
    {"\xc2\xb0"
     "c",
     "Cel"},
    {"deg c", "Cel"},
    {"degf", "[degF]"},
    {"\xc2\xb0"
     "f",
     "[degF]"},
    {"percent", "%"},
    {"x10e3/ul", "10*3/uL"},
    {"10e3/ul", "10*3/uL"},
    {"10^3/ul", "10*3/uL"},
    {"k/ul", "10*3/uL"},
    {"x10^3/ul", "10*3/uL"},
    {"thou/ul", "10*3/uL"},
    {"10*3/\xc2\xb5l", "10*3/uL"},
    {"10^3/mm3", "10*3/mm3"},
    {"x10e6/ul", "10*6/uL"},
    {"10e6/ul", "10*6/uL"},
    {"10^6/ul", "10*6/uL"},
    {"m/ul", "10*6/uL"},
    {"x10^6/ul", "10*6/uL"},
    {"10^9/l", "10*9/L"},
    {"x10^9/l", "10*9/L"},
    {"10e9/l", "10*9/L"},
    {"giga.l-1", "10*9/L"},
    {"g/l", "g/L"},
    {"10^12/l", "10*12/L"},
    {"x10^12/l", "10*12/L"},
    {"10e12/l", "10*12/L"},
    {"tera.l-1", "10*12/L"},
    {"cells/ul", "/uL"},
    {"{cells}/ul", "{cells}/uL"},
    {"iu/l", "[IU]/L"},
    {"iu/ml", "[IU]/mL"},
    {"miu/l", "m[IU]/L"},
    {"uiu/ml", "u[IU]/mL"},
    {"\xc2\xb5iu/ml", "u[IU]/mL"},
    {"miu/ml", "m[IU]/mL"},
    {"\xc2\xb5mol/l", "umol/L"},
    {"\xc2\xb5g/l", "ug/L"},
    {"mcg/l", "ug/L"},
    {"\xc2\xb5g/dl", "ug/dL"},
    {"mcg/dl", "ug/dL"},
    {"\xc2\xb5g", "ug"},
    {"mcg", "ug"},
    {"sec", "s"},
    {"seconds", "s"},
    {"hr", "h"},
    {"mm/hr", "mm/h"},
    {"ml/min/1.73m2", "mL/min/{1.73_m2}"},
    {"pg/{cell}", "pg/{cell}"},
    {"minutes", "min"},
}};

}  // namespace

std::string ucum_code(std::string_view unit) {
  const auto exact = std::find_if(kCodes.begin(), kCodes.end(), [&](std::string_view code) {
    if (code.size() != unit.size()) return false;
    for (std::size_t i = 0; i < code.size(); ++i) {
      if (code[i] != unit[i] && !(code[i] == 'L' && unit[i] == 'l')) return false;
    }
    return true;
  });
  if (exact != kCodes.end()) return std::string(*exact);
  std::string plain = core::to_lower_ascii(unit);
  std::erase(plain, ' ');
  const auto found = std::find_if(kSynonyms.begin(), kSynonyms.end(),
                                  [&](const Synonym& row) { return row.sent == plain; });
  return found == kSynonyms.end() ? std::string() : std::string(found->code);
}

std::string power_of_ten(std::string unit, std::string_view behind) {
  const bool is_ten = unit == "10" || unit == "x10" || unit == "X10" || unit == "*10";
  if (is_ten && !behind.empty() && behind.front() >= '0' && behind.front() <= '9')
    unit += core::cat('^', behind);
  return unit;
}

}  // namespace gateway::adapters::mapping
