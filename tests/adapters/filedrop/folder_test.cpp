// A folder on a real file system, its files taken into the real database.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/dicom/dropped_file.h"
#include "adapters/filedrop/folder_intake.h"
#include "adapters/hl7/message_reader.h"
#include "tests/crypto/scratch_folder.h"
#include "tests/sync/part10_file.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::filedrop {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPdf[] = "%PDF-1.4\nreport\n%%EOF\n";

/// Time that only the test moves.
class HandClock final : public core::Clock {
 public:
  core::Wall wall() const override { return core::system_clock().wall(); }
  core::Monotonic monotonic() const override { return now; }
  core::Monotonic now{std::chrono::seconds(1000)};
};

class Folder : public sync::RecordsTest {
 protected:
  Folder() {
    device_.folder = scratch_.path();
    device_.device.options.profile.name = "spiro";
    device_.device.options.profile.patient_id_issuer = sync::kIssuer;
    decoders_.hl7 = [](std::string bytes, const mapping::DeviceProfile& device) {
      std::vector<std::shared_ptr<sync::IncomingMessage>> messages;
      for (std::string& one : hl7::cut_frame(std::move(bytes)))
        messages.push_back(
            hl7::read_message(std::move(one), device, "folder", core::system_clock()).incoming);
      return messages;
    };
    decoders_.dicom = dicom::take_dropped_file;
  }
  void SetUp() override {
    RecordsTest::SetUp();
    door_.open(held_);
  }
  void TearDown() override {
    intake_.reset();
    door_.close();
    RecordsTest::TearDown();
  }

  void use_profile(const char* id) {
    const auto profile =
        profiles::load_profile(core::system_files(), std::string(GATEWAY_PROFILES) + "/" + id);
    ASSERT_TRUE(profile.ok());
    device_.device.profile = *profile;
  }
  void open() {
    intake_ = std::make_unique<FolderIntake>(device_, decoders_, door_, clock_, turns_);
    EXPECT_EQ(intake_->turn(), "");
  }
  /// Long enough that everything rests.
  std::string settle(std::chrono::seconds by = std::chrono::seconds(10)) {
    if (!intake_) open();
    std::string problem = intake_->turn();
    clock_.now += by;
    problem += intake_->turn();
    return problem;
  }
  void drop(const std::string& name, std::string_view bytes) {
    std::ofstream(scratch_.path() + "/" + name, std::ios::binary) << bytes;
  }
  std::vector<std::string> files(const std::string& folder = "") {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_.path() + folder)) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string read(const std::string& name) {
    std::ifstream stream(scratch_.path() + "/" + name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::int64_t messages(const std::string& state) {
    return count("SELECT count(*) FROM message WHERE state = '" + state + "'");
  }

  crypto::ScratchFolder scratch_;
  FolderDevice device_;
  FileDecoders decoders_;
  sync::HoldingsDoor door_;
  HandClock clock_;
  std::atomic<std::uint64_t> turns_{0};
  std::unique_ptr<FolderIntake> intake_;
};

TEST_F(Folder, ADocumentWaitsForAPatientAndLeavesTheFolder) {
  drop("scan.pdf", kPdf);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_EQ(messages("unassigned"), 1);
  EXPECT_THAT(files("/failed"), IsEmpty());
}

TEST_F(Folder, ThePatientMayStandInTheName) {
  device_.device.profile.fields.name_separator = "_";
  device_.device.profile.fields.patient_id = *profiles::FieldPath::parse("$file.parts[0]");
  drop("P-7_20261120.pdf", kPdf);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(messages("stored"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'DocumentReference'"), 1);
}

TEST_F(Folder, PicturesBecomeDocumentsWhateverAPhoneWritesBehindThem) {
  const std::string jpeg("\xFF\xD8\xFF\xDA\x00\x03\x01zz\xFF\xD9", 11);
  const std::string png("\x89PNG\r\n\x1A\n\0\0\0\0IEND\xAE\x42\x60\x82", 20);
  device_.device.profile.fields.patient_id = *profiles::FieldPath::parse("$file.stem");
  drop("P-1.jpg", jpeg + std::string(50'000, 'v'));
  drop("P-2.png", png);
  drop("P-3.jpg", jpeg.substr(0, 9));
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), ElementsAre("P-3.jpg")) << "it is not all there";
  EXPECT_EQ(messages("stored"), 2);
  for (const char* type : {"image/jpeg", "image/png"})
    EXPECT_EQ(count(std::string("SELECT count(*) FROM resource_version WHERE type ="
                                " 'DocumentReference' AND CAST(body AS TEXT) LIKE '%") +
                    type + "%'"),
              1);
}

TEST_F(Folder, ADicomFileIsWhatACStoreOfItWouldBe) {
  const auto element = [](std::uint16_t group, std::uint16_t number, const char* vr,
                          std::string value) {
    if (value.size() % 2 != 0) value += std::string(vr) == "UI" ? '\0' : ' ';
    return sync::little_endian(group, 2) + sync::little_endian(number, 2) + vr +
           sync::little_endian(static_cast<std::uint32_t>(value.size()), 2) + value;
  };
  const std::string study = "1.2.826.0.1.3680043.10.1";
  const std::string file =
      sync::part10_head(study + ".1.1") + element(0x08, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2") +
      element(0x08, 0x18, "UI", study + ".1.1") + element(0x08, 0x60, "CS", "CT") +
      element(0x10, 0x10, "PN", "Roe^Jane") + element(0x10, 0x20, "LO", "P1") +
      element(0x20, 0x0D, "UI", study) + element(0x20, 0x0E, "UI", study + ".1");
  drop("image.dcm", file);
  drop("again", file);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_THAT(files("/failed"), IsEmpty());
  EXPECT_EQ(text("SELECT study_uid FROM dicom_study"), study);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
}

TEST_F(Folder, AFileThatAWriterHasOpenIsLeftAlone) {
  open();
  const int writer = ::open((scratch_.path() + "/scan.pdf").c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_EQ(::write(writer, kPdf, sizeof kPdf - 1), std::ssize(kPdf) - 1);
  EXPECT_EQ(settle(std::chrono::seconds(3600)), "");
  EXPECT_THAT(files(), ElementsAre("scan.pdf"));
  ::close(writer);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Folder, WhatDoesNotReachItsEndWaitsAndFailsInTheEnd) {
  drop("scan.pdf", "%PDF-1.4\nrep");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), ElementsAre("scan.pdf"));
  drop("scan.pdf", kPdf);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
  drop("half.pdf", "%PDF-1.4\nrep");
  EXPECT_EQ(settle(std::chrono::seconds(700)), "");
  EXPECT_THAT(files("/failed"), ElementsAre("half.pdf", "half.pdf.reason.txt"));
  EXPECT_THAT(read("failed/half.pdf.reason.txt"), HasSubstr("ends before its end"));
}

TEST_F(Folder, WhatACrashLeftIsTakenOnce) {
  drop("scan.pdf", kPdf);
  const std::string again = scratch_.path() + "/done/again";
  open();
  fs::create_hard_link(scratch_.path() + "/scan.pdf", again);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(messages("unassigned"), 1);
  // Committed, not removed: as a kill between the two leaves it.
  intake_.reset();
  fs::rename(again, scratch_.path() + "/taking/scan.pdf");
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(count("SELECT count(*) FROM message"), 1);
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_THAT(files("/taking"), IsEmpty());
}

TEST_F(Folder, Hl7FilesGoToTheirDecoderMessageByMessage) {
  const std::string head = "MSH|^~\\&|A|L|G|C|20260301101500+0100||ORU^R01^ORU_R01|";
  const std::string rest =
      "|P|2.5.1\rPID|1||P1^^^^MR||Roe^Jane||19800102|F\rOBR|1|PL1|FI1|24323-8^Panel^LN\r"
      "OBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|||||F\r";
  drop("two.hl7", head + "1" + rest + head + "2" + rest);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(messages("stored"), 2);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Folder, WhatNobodyReadsGoesToFailedWithItsReasonAndIsNotTaken) {
  device_.device.options.message_bytes_max = 100;
  drop("program.bin", std::string("\x7f"
                                  "ELF\0\0\1",
                                  7));
  drop("large.csv", std::string(101, 'x'));
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files("/failed"), ElementsAre("large.csv", "large.csv.reason.txt", "program.bin",
                                            "program.bin.reason.txt"));
  EXPECT_THAT(read("failed/large.csv.reason.txt"), HasSubstr("message_max_mb"));
  EXPECT_EQ(count("SELECT count(*) FROM message"), 0);
}

TEST_F(Folder, ARecordNobodyCanMapIsKeptAsALetterAndANoteSaysWhich) {
  drop("values.csv", "id;t\n1;2\n");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_THAT(files("/failed"), ElementsAre("message-1.reason.txt"));
  EXPECT_EQ(messages("dead"), 1);
}

TEST_F(Folder, ARecordAndItsDocumentAreTakenTogether) {
  use_profile("spirometer-pdf-xml");
  const std::string from =
      std::string(GATEWAY_PROFILES) + "/spirometer-pdf-xml/fixtures/bronchitis";
  fs::copy(from + ".xml", scratch_.path() + "/bronchitis.xml");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), ElementsAre("bronchitis.xml"));
  fs::copy(from + ".pdf", scratch_.path() + "/bronchitis.pdf");
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_EQ(messages("stored"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'DocumentReference'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Observation'"), 5);
  for (const char* end : {".pdf", ".xml"})
    fs::copy(from + end, scratch_.path() + "/bronchitis" + end);
  EXPECT_EQ(settle(), "");
  EXPECT_EQ(messages("stored"), 1) << "seen together, not one after the other";
}

TEST_F(Folder, DoneIsKeptOnlyWhereTheSiteSaysSoAndOnlySoLong) {
  device_.keep_done = std::chrono::hours(24);
  drop("scan.pdf", kPdf);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files("/done"), ElementsAre("scan.pdf"));
  const auto folder = frame::DropFolder::open(scratch_.path(), std::chrono::seconds(2));
  ASSERT_TRUE(folder.ok());
  const core::Wall now = clock_.wall();
  EXPECT_TRUE((*folder)->expire_done(device_.keep_done, now + std::chrono::hours(23)).ok());
  EXPECT_THAT(files("/done"), ElementsAre("scan.pdf"));
  EXPECT_TRUE((*folder)->expire_done(device_.keep_done, now + std::chrono::hours(25)).ok());
  EXPECT_THAT(files("/done"), IsEmpty());
}

TEST_F(Folder, AFullDiskOrALockedGatewayLeavesTheFileWhereItIs) {
  door_.close();
  drop("scan.pdf", kPdf);
  settle();
  EXPECT_THAT(files(), ElementsAre("scan.pdf"));
  door_.open(held_);
  EXPECT_EQ(settle(), "");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Folder, WhatIsWrittenOverAFileWhileItIsTakenIsAnotherFile) {
  drop("scan.pdf", kPdf);
  auto folder = frame::DropFolder::open(scratch_.path(), std::chrono::milliseconds(0));
  ASSERT_TRUE(folder.ok());
  const auto resting = (*folder)->look(clock_.monotonic());
  ASSERT_TRUE(resting.ok());
  ASSERT_EQ(resting->size(), 1U);
  const auto claimed = (*folder)->claim((*resting)[0]);
  ASSERT_TRUE(claimed.ok());
  drop("scan.pdf", "%PDF-1.4\nanother\n%%EOF\n");
  EXPECT_TRUE((*folder)->finish(**claimed, false).ok());
  EXPECT_THAT(read("scan.pdf"), HasSubstr("another"));
}

TEST_F(Folder, AFolderThatIsNotThereIsAProblemOfItsDeviceAlone) {
  device_.folder = scratch_.path() + "/nowhere/deep";
  intake_ = std::make_unique<FolderIntake>(device_, decoders_, door_, clock_, turns_);
  EXPECT_THAT(intake_->turn(), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace gateway::adapters::filedrop
