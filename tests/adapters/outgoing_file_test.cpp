// What a PACS gets of a patient whose identity was corrected since.
#include "adapters/dicom/outgoing_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <vector>

#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

class OutgoingFileTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    unlock();
    serve();
    DcmFileFormat file;
    fill_ct(*file.getDataset(), 1);
    put(*file.getDataset(), DCM_PatientBirthDate, "");
    const std::string path = folder_ + "/1.dcm";
    ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
    const Ran ran = run("storescu", path);
    ASSERT_EQ(ran.status, 0) << ran.output;
  }
  void patient_is(std::string_view family, std::string_view id) {
    put_patient(cat(
        R"({"resourceType":"Patient","id":"p1","birthDate":"1980-01-02","identifier":[{"system":"urn:oid:2.25.1","value":")",
        id, R"("}],"name":[{"family":")", family, R"(","given":["Jane"]}]})"));
  }
  /// A picture of its own, as row 2: a gradient, or noise that nothing makes smaller.
  void send_picture(bool is_noise) {
    constexpr std::size_t kEdge = 128;
    DcmFileFormat file;
    DcmDataset& data_set = *file.getDataset();
    fill_ct(data_set, 2, kEdge * kEdge * 2);
    ASSERT_TRUE(data_set.putAndInsertUint16(DCM_Rows, kEdge).good());
    ASSERT_TRUE(data_set.putAndInsertUint16(DCM_Columns, kEdge).good());
    std::mt19937 random(7);
    std::vector<Uint16> pixels(kEdge * kEdge);
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = static_cast<Uint16>(is_noise ? random() : 40'000 + i / kEdge + i % kEdge);
    ASSERT_TRUE(data_set
                    .putAndInsertUint16Array(DCM_PixelData, pixels.data(),
                                             static_cast<unsigned long>(pixels.size()))
                    .good());
    const std::string path = folder_ + "/2.dcm";
    ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
    const Ran ran = run("storescu", path);
    ASSERT_EQ(ran.status, 0) << ran.output;
  }
  core::Result<std::optional<sync::SentForm>> outgoing(std::int64_t row = 1,
                                                       bool compresses = false) {
    return write_outgoing(*door_.get(), core::system_clock(), row, compresses);
  }
};

TEST_F(OutgoingFileTest, WhatTheImagesSayOfThePatientStandsAsItIs) {
  EXPECT_FALSE(outgoing()->has_value()) << "linked to nobody";
  patient_is("Roe", "P1");
  EXPECT_FALSE(outgoing()->has_value()) << "a birth date the images do not tell is no correction";
}

TEST_F(OutgoingFileTest, ForASlowLinkPixelsAreCompressedWithoutLoss) {
  send_picture(false);
  EXPECT_FALSE(outgoing(2)->has_value()) << "nobody asked for it";
  const auto written = outgoing(2, true);
  ASSERT_TRUE(written.ok() && written->has_value());
  EXPECT_TRUE((*written)->is_compressed);
  EXPECT_LT((*written)->file.size(), 16'384U) << "half of its pixels";
  const std::string path = folder_ + "/small.dcm";
  std::ofstream(path, std::ios::binary) << (*written)->file;
  const Ran syntax = run_command(cat("dcmdump +P 0002,0010 ", path));
  EXPECT_NE(syntax.output.find("JPEGLSLossless"), std::string::npos) << syntax.output;
  const Ran decoded = run_command(cat("dcmdjpls ", path, " ", folder_, "/plain.dcm 2>&1"));
  ASSERT_EQ(decoded.status, 0) << decoded.output;
  DcmFileFormat ours;
  DcmFileFormat sent;
  ASSERT_TRUE(ours.loadFile((folder_ + "/plain.dcm").c_str()).good());
  ASSERT_TRUE(sent.loadFile((folder_ + "/2.dcm").c_str()).good());
  EXPECT_EQ(encode(*ours.getDataset(), EXS_LittleEndianExplicit),
            encode(*sent.getDataset(), EXS_LittleEndianExplicit));
}

TEST_F(OutgoingFileTest, WhatDoesNotGetSmallerGoesAsItIs) {
  send_picture(true);
  EXPECT_FALSE(outgoing(2, true)->has_value());
}

TEST_F(OutgoingFileTest, ACorrectedImageIsCompressedToo) {
  send_picture(false);
  patient_is("Doe", "P9");
  const auto written = outgoing(2, true);
  ASSERT_TRUE(written.ok() && written->has_value());
  EXPECT_TRUE((*written)->is_compressed);
  EXPECT_NE((*written)->file.find("Doe^Jane"), std::string::npos);
}

TEST_F(OutgoingFileTest, ACorrectedIdentityIsWrittenWithTheOriginalBesideIt) {
  patient_is("Doe", "P9");
  const auto written = outgoing();
  ASSERT_TRUE(written.ok()) << written.error().message();
  ASSERT_TRUE(written->has_value());
  const std::string& bytes = (*written)->file;
  const std::string path = folder_ + "/anew.dcm";
  {
    FILE* out = std::fopen(path.c_str(), "wb");
    ASSERT_NE(out, nullptr);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), out), bytes.size());
    std::fclose(out);
  }
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile(path.c_str()).good());
  DcmDataset& data_set = *file.getDataset();
  const auto text = [](DcmItem& item, const DcmTagKey& tag) {
    OFString value;
    (void)item.findAndGetOFStringArray(tag, value);
    return std::string(value.c_str());
  };
  EXPECT_EQ(text(data_set, DCM_PatientName), "Doe^Jane");
  EXPECT_EQ(text(data_set, DCM_PatientID), "P9");
  EXPECT_EQ(text(data_set, DCM_PatientBirthDate), "19800102");
  DcmItem* record = nullptr;
  ASSERT_TRUE(data_set.findAndGetSequenceItem(DCM_OriginalAttributesSequence, record).good());
  DcmItem* originals = nullptr;
  ASSERT_TRUE(record->findAndGetSequenceItem(DCM_ModifiedAttributesSequence, originals).good());
  EXPECT_EQ(text(*originals, DCM_PatientID), "P1");
  const Uint16* pixels = nullptr;
  unsigned long count = 0;
  EXPECT_TRUE(data_set.findAndGetUint16Array(DCM_PixelData, pixels, &count).good());
  EXPECT_EQ(count, 256U);
  EXPECT_EQ(objects(), 1U) << "the stored object stays";
}

}  // namespace
}  // namespace gateway::adapters::dicom
