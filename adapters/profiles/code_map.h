// A device's own test codes to LOINC, and its units to UCUM: codes.csv of a profile. The unit takes
// part in the choice (HbA1c in % is another code than in mmol/mol). What no row names is never
// guessed.
//
//   code,unit,loinc,display,ucum
//   413,g/L,...            only with this unit
//   MTB,,...               with any unit, or none
//   HCT,-,...              only without a unit: a fraction where others send percent
//   CRP,mg/l,,C-reactive protein,mg/L   no LOINC known: the local code stands alone
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::adapters::profiles {

struct CodeRow {
  std::string code;     // as the device sends it
  std::string unit;     // as the device sends it; empty: any; "-": none
  std::string loinc;    // empty: none is known
  std::string display;  // what a person reads
  std::string ucum;     // empty: by adapters/mapping/ucum.h
};

class CodeMap {
 public:
  /// The text of codes.csv. Code::invalid names the line.
  static core::Result<CodeMap> parse(std::string_view csv);

  struct Found {
    const CodeRow* row = nullptr;     // null: the map does not decide
    bool is_impossible_pair = false;  // the code is known, but with other units only
  };
  /// Compares exactly, blanks around aside.
  Found find(std::string_view code, std::string_view unit) const;
  /// The device's codes for a LOINC code, in the file's order, each once.
  std::vector<std::string> local_codes(std::string_view loinc) const;
  const std::vector<CodeRow>& rows() const { return rows_; }

 private:
  std::vector<CodeRow> rows_;
};

}  // namespace gateway::adapters::profiles
