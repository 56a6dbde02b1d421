#include "adapters/dicom/json_model.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/command_data_set.h"
#include "core/split.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Json;

constexpr std::uint32_t kTextShownMax = 65'536;
constexpr std::uint32_t kBinaryShownMax = 1'024;
constexpr std::uint64_t kAllShownMax = 8u << 20;  // of one data set

/// IS and DS as JSON writes numbers (RFC 8259, 6); nothing where it is none.
std::optional<std::string> number_of(std::string_view text) {
  std::string sign;
  if (text.starts_with('+') || text.starts_with('-')) {
    if (text[0] == '-') sign = "-";
    text.remove_prefix(1);
  }
  const auto digits = [&] {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    const std::string_view taken = text.substr(0, count);
    text.remove_prefix(count);
    return taken;
  };
  std::string_view whole = digits();
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;
  while (whole.size() > 1 && whole[0] == '0') whole.remove_prefix(1);
  std::string number = cat(sign, whole.empty() ? "0" : whole);
  if (!fraction.empty()) number += cat(".", fraction);
  if (text.empty()) return number;
  if (text[0] != 'e' && text[0] != 'E') return std::nullopt;
  text.remove_prefix(1);
  number += 'e';
  if (text.starts_with('+') || text.starts_with('-')) {
    number += text[0];
    text.remove_prefix(1);
  }
  const std::string_view exponent = digits();
  if (exponent.empty() || !text.empty()) return std::nullopt;
  return cat(number, exponent);
}

Json float_of(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return Json::Number{std::string(text.data(), end)};
}

Json name_of(std::string_view value) {
  constexpr std::array<std::string_view, 3> kGroups = {"Alphabetic", "Ideographic", "Phonetic"};
  Json name = Json::object();
  const auto groups = core::split(value, '=');
  for (std::size_t i = 0; i < groups.size() && i < kGroups.size(); ++i) {
    if (!groups[i].empty()) name.set(kGroups[i], groups[i]);
  }
  return name;
}

bool is_float(DcmEVR vr) { return vr == EVR_FL || vr == EVR_FD; }
bool is_integer(DcmEVR vr) {
  return vr == EVR_US || vr == EVR_SS || vr == EVR_UL || vr == EVR_SL || vr == EVR_SV ||
         vr == EVR_UV;
}
// Where (0008,0005) has a say (PS3.5 6.1.2.3).
bool is_in_character_set(DcmEVR vr) {
  return vr == EVR_LO || vr == EVR_LT || vr == EVR_PN || vr == EVR_SH || vr == EVR_ST ||
         vr == EVR_UC || vr == EVR_UT;
}
bool is_one_text(DcmEVR vr) { return vr == EVR_LT || vr == EVR_ST || vr == EVR_UR || vr == EVR_UT; }
bool is_binary(DcmEVR vr) {
  return vr == EVR_OB || vr == EVR_OW || vr == EVR_OD || vr == EVR_OF || vr == EVR_OL ||
         vr == EVR_OV || vr == EVR_UN;
}

class Writer {
 public:
  explicit Writer(const std::string& bulk_base) : bulk_base_(bulk_base) {}

  Json write(DcmItem& item, const std::string& place, const std::string& character_set) {
    const std::string own = text_of(item, DCM_SpecificCharacterSet);
    const std::string& set = own.empty() ? character_set : own;
    Json json = Json::object();
    for (unsigned long i = 0; i < item.card(); ++i) {
      DcmElement& element = *item.getElement(i);
      if (element.getETag() == 0) continue;  // group lengths
      const std::string tag = tag_text(element.getTag());
      json.append_member(tag, attribute(element, cat(place, tag), set));
    }
    return json;
  }

 private:
  Json attribute(DcmElement& element, const std::string& place, const std::string& set) {
    const DcmVR vr(DcmVR(element.getVR()).getValidEVR());
    Json json = Json::object({{"vr", vr.getVRName()}});
    if (vr.getEVR() == EVR_SQ) {
      Json items = Json::array();
      auto* sequence = dynamic_cast<DcmSequenceOfItems*>(&element);
      for (unsigned long i = 0; sequence != nullptr && i < sequence->card(); ++i)
        items.add(write(*sequence->getItem(i), cat(place, ".", i, "."), set));
      if (items.size() > 0) json.set("Value", std::move(items));
    } else if (element.getTag() == DCM_PixelData ||
               element.getLength() > (is_binary(vr.getEVR()) ? kBinaryShownMax : kTextShownMax) ||
               shown_ + element.getLength() > kAllShownMax) {
      json.set("BulkDataURI", cat(bulk_base_, "/", place));
    } else if (element.getLength() > 0) {
      shown_ += element.getLength();
      put_value(json, element, vr.getEVR(), set);
    }
    return json;
  }

  static void put_value(Json& json, DcmElement& element, DcmEVR vr, const std::string& set) {
    if (is_binary(vr)) {
      if (auto bytes = base64_of(element); !bytes.empty())
        json.set("InlineBinary", std::move(bytes));
      return;
    }
    Json values = element.getTag() == DCM_SpecificCharacterSet
                      ? Json::array({"ISO_IR 192"})  // as all text here is
                  : is_float(vr) || is_integer(vr) || vr == EVR_AT ? numbers(element, vr)
                                                                   : texts(element, vr, set);
    if (values.size() > 0) json.set("Value", std::move(values));
  }

  static std::string base64_of(DcmElement& element) {
    std::string bytes(element.getLength(), '\0');
    if (element.getPartialValue(bytes.data(), 0, element.getLength(), nullptr, EBO_LittleEndian)
            .bad())
      return {};
    OFString text;
    OFStandard::encodeBase64(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                             text);
    return text.c_str();
  }

  static Json numbers(DcmElement& element, DcmEVR vr) {
    Json values = Json::array();
    for (unsigned long i = 0; i < element.getVM(); ++i) {
      Float64 real = 0;
      Float32 narrow = 0;
      OFString text;
      if (vr == EVR_FD && element.getFloat64(real, i).good()) {
        values.add(float_of(real));
      } else if (vr == EVR_FL && element.getFloat32(narrow, i).good()) {
        values.add(float_of(static_cast<double>(narrow)));
      } else if (element.getOFString(text, i).good()) {
        if (vr == EVR_AT)
          values.add(tag_of(text.c_str()));
        else
          values.add(Json::Number{text.c_str()});
      }
    }
    return values;
  }

  // DCMTK writes (gggg,eeee).
  static std::string tag_of(std::string_view text) {
    std::string tag;
    for (const char c : text) {
      if (c >= 'a' && c <= 'f')
        tag += static_cast<char>(c - 'a' + 'A');
      else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))
        tag += c;
    }
    return tag;
  }

  static Json texts(DcmElement& element, DcmEVR vr, const std::string& set) {
    OFString raw;
    if (element.getOFStringArray(raw, OFFalse).bad()) return Json::array();
    const std::string text =
        decode_text({raw.c_str(), raw.length()}, is_in_character_set(vr) ? set : std::string(),
                    vr == EVR_PN ? TextKind::person_name : TextKind::text);
    Json values = Json::array();
    const auto parts =
        is_one_text(vr) ? std::vector<std::string_view>{text} : core::split(text, '\\');
    for (const std::string_view part : parts) {
      const std::string_view value = trimmed(part, vr);
      if (value.empty())
        values.add(Json());
      else if (vr == EVR_PN)
        values.add(name_of(value));
      else if (const auto number = vr == EVR_IS || vr == EVR_DS ? number_of(value) : std::nullopt)
        values.add(Json::Number{*number});
      else
        values.add(value);
    }
    const bool is_empty = values.size() == 1 && values[std::size_t{0}].is_null();
    return is_empty ? Json::array() : values;
  }

  static std::string_view trimmed(std::string_view text, DcmEVR vr) {
    while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.remove_suffix(1);
    return is_one_text(vr) ? text : core::trim(text);
  }

  const std::string& bulk_base_;
  std::uint64_t shown_ = 0;
};

std::optional<std::uint32_t> parse(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string tag_text(const DcmTagKey& tag) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%04X%04X", tag.getGroup(), tag.getElement());
  return text.data();
}

Json to_dicom_json(DcmItem& data_set, const std::string& bulk_base) {
  return Writer(bulk_base).write(data_set, "", "");
}

DcmElement* element_at(DcmItem& data_set, const std::string& place) {
  DcmItem* item = &data_set;
  const auto steps = core::split(place, '.');
  for (std::size_t i = 0;; i += 2) {
    const auto tag = parse(steps[i], 16);
    if (!tag || steps[i].size() != 8) return nullptr;
    const DcmTagKey key(static_cast<Uint16>(*tag >> 16), static_cast<Uint16>(*tag & 0xffff));
    if (i + 1 == steps.size()) {
      DcmElement* element = nullptr;
      return item->findAndGetElement(key, element).good() ? element : nullptr;
    }
    const auto number = i + 2 < steps.size() ? parse(steps[i + 1], 10) : std::nullopt;
    DcmItem* inner = nullptr;
    if (!number || item->findAndGetSequenceItem(key, inner, static_cast<long>(*number)).bad())
      return nullptr;
    item = inner;
  }
}

}  // namespace gateway::adapters::dicom
