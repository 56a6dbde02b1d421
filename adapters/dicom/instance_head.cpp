#include "adapters/dicom/instance_head.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <array>
#include <string_view>
#include <vector>

#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/data_set_scanner.h"
#include "adapters/dicom/utf8.h"

namespace gateway::adapters::dicom {
namespace {

using sync::InstanceFacts;

constexpr Tag kSpecificCharacterSet = 0x00080005;

// How a value becomes text (PS3.5 6.2).
enum class Form { code, text, person_name };

struct Attribute {
  Tag tag;
  std::string InstanceFacts::*fact;
  Form form;
};

constexpr std::array kAttributes = {
    Attribute{0x00080016, &InstanceFacts::sop_class_uid, Form::code},
    Attribute{0x00080018, &InstanceFacts::sop_instance_uid, Form::code},
    Attribute{0x00080020, &InstanceFacts::study_date, Form::code},
    Attribute{0x00080021, &InstanceFacts::series_date, Form::code},
    Attribute{0x00080030, &InstanceFacts::study_time, Form::code},
    Attribute{0x00080031, &InstanceFacts::series_time, Form::code},
    Attribute{0x00080050, &InstanceFacts::accession_number, Form::text},
    Attribute{0x00080060, &InstanceFacts::modality, Form::code},
    Attribute{0x00080090, &InstanceFacts::referring_physician, Form::person_name},
    Attribute{0x00081030, &InstanceFacts::study_description, Form::text},
    Attribute{0x0008103e, &InstanceFacts::series_description, Form::text},
    Attribute{0x00100010, &InstanceFacts::patient_name, Form::person_name},
    Attribute{0x00100020, &InstanceFacts::patient_id, Form::text},
    Attribute{0x00100021, &InstanceFacts::patient_id_issuer, Form::text},
    Attribute{0x00100030, &InstanceFacts::birth_date, Form::code},
    Attribute{0x00100040, &InstanceFacts::sex, Form::code},
    Attribute{0x00180015, &InstanceFacts::body_part, Form::code},
    Attribute{0x0020000d, &InstanceFacts::study_instance_uid, Form::code},
    Attribute{0x0020000e, &InstanceFacts::series_instance_uid, Form::code},
    Attribute{0x00200010, &InstanceFacts::study_id, Form::text},
    Attribute{0x00200011, &InstanceFacts::series_number, Form::code},
    Attribute{0x00200013, &InstanceFacts::instance_number, Form::code},
    Attribute{0x00280008, &InstanceFacts::number_of_frames, Form::code},
};

constexpr auto kWanted = [] {
  std::array<Tag, kAttributes.size() + 1> tags{};
  tags[0] = kSpecificCharacterSet;
  for (std::size_t i = 0; i < kAttributes.size(); ++i) tags[i + 1] = kAttributes[i].tag;
  return tags;
}();

std::string_view without_padding(std::string_view value) {
  const auto end = value.find_last_not_of(std::string_view(" \0", 2));
  return value.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

}  // namespace

DataSetScanner::Encoding encoding_of(std::string_view transfer_syntax) {
  if (transfer_syntax == UID_LittleEndianImplicitTransferSyntax)
    return DataSetScanner::Encoding::implicit_little;
  if (transfer_syntax == UID_BigEndianExplicitTransferSyntax)
    return DataSetScanner::Encoding::explicit_big;
  return DataSetScanner::Encoding::explicit_little;
}

// DCMTK's inflating stream; only the head of a deflated data set goes through it.
class InstanceHead::Inflater {
 public:
  static constexpr std::size_t kInflatedBytesMax = 16u << 20;

  Inflater() { is_good_ = stream_.installCompressionFilter(ESC_zlib).good(); }

  void feed(std::span<const std::byte> bytes, DataSetScanner& scanner) {
    if (!is_good_ || bytes.empty()) return;
    stream_.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
    while (!scanner.done() && inflated_ < kInflatedBytesMax) {
      const auto got = stream_.read(out_.data(), static_cast<offile_off_t>(out_.size()));
      if (got <= 0) break;
      inflated_ += static_cast<std::size_t>(got);
      scanner.feed(std::span<const std::byte>(out_).first(static_cast<std::size_t>(got)));
    }
    stream_.releaseBuffer();
    is_good_ = stream_.good() && inflated_ < kInflatedBytesMax;
  }
  bool is_good() const { return is_good_; }

 private:
  DcmInputBufferStream stream_;
  std::vector<std::byte> out_ = std::vector<std::byte>(16'384);
  std::size_t inflated_ = 0;
  bool is_good_ = false;
};

class InstanceHead::Impl {
 public:
  explicit Impl(std::string uid)
      : transfer_syntax_uid(std::move(uid)), scanner(encoding_of(transfer_syntax_uid), kWanted) {
    if (transfer_syntax_uid == UID_DeflatedExplicitVRLittleEndianTransferSyntax)
      inflater = std::make_unique<Inflater>();
  }
  std::string transfer_syntax_uid;
  DataSetScanner scanner;
  std::unique_ptr<Inflater> inflater;
};

InstanceHead::InstanceHead(std::string transfer_syntax_uid)
    : impl_(std::make_unique<Impl>(std::move(transfer_syntax_uid))) {}
InstanceHead::~InstanceHead() = default;

void InstanceHead::feed(std::span<const std::byte> bytes) {
  if (done()) return;
  if (impl_->inflater) {
    impl_->inflater->feed(bytes, impl_->scanner);
  } else {
    impl_->scanner.feed(bytes);
  }
}

bool InstanceHead::done() const {
  return impl_->scanner.done() || (impl_->inflater && !impl_->inflater->is_good());
}

InstanceFacts InstanceHead::facts() const {
  const auto& values = impl_->scanner.values();
  const auto value_of = [&values](Tag tag) {
    const auto found = values.find(tag);
    return found == values.end() ? std::string_view() : without_padding(found->second);
  };
  const std::string_view character_set = value_of(kSpecificCharacterSet);
  InstanceFacts facts;
  facts.transfer_syntax_uid = impl_->transfer_syntax_uid;
  for (const Attribute& attribute : kAttributes) {
    const TextKind kind =
        attribute.form == Form::person_name ? TextKind::person_name : TextKind::text;
    // Codes, dates and UIDs are ASCII by their value representation, whatever the character set.
    const std::string_view set = attribute.form == Form::code ? std::string_view() : character_set;
    facts.*attribute.fact = decode_text(value_of(attribute.tag), set, kind);
  }
  return facts;
}

}  // namespace gateway::adapters::dicom
