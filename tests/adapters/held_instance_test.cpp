// Held objects in parts: metadata, frames, values and pictures, as DICOMweb gives them out.
#include "adapters/dicom/held_instance.h"

#include <dcmtk/dcmdata/dcpixel.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "adapters/dicom/web_query.h"
#include "sync/replica.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

constexpr int kFrames = 100;  // more than the levels sequences may nest
constexpr std::size_t kFrameBytes = 16 * 16 * 2;

class HeldInstanceTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    unlock();
    serve();
  }

  /// `frames` of 16 by 16 words, each filled with its number.
  static std::string pixels(int frames) {
    std::string bytes;
    for (int frame = 1; frame <= frames; ++frame) {
      for (std::size_t i = 0; i < kFrameBytes; i += 2) bytes += {static_cast<char>(frame), '\0'};
    }
    return bytes;
  }

  std::string write(const std::string& name, int frames, E_TransferSyntax syntax) {
    DcmFileFormat file;
    DcmDataset& data_set = *file.getDataset();
    fill_ct(data_set, 1);
    put(data_set, DCM_NumberOfFrames, std::to_string(frames));
    put(data_set, DCM_SpecificCharacterSet, "ISO_IR 100");
    put(data_set, DCM_PatientName, "M\xfcller^J\xf6rg");
    put(data_set, DCM_WindowCenter, "50");
    put(data_set, DCM_WindowWidth, "100");
    const std::string bytes = pixels(frames);
    EXPECT_TRUE(data_set
                    .putAndInsertUint16Array(DCM_PixelData,
                                             reinterpret_cast<const Uint16*>(bytes.data()),
                                             bytes.size() / 2)
                    .good());
    std::string path = folder_ + "/" + name;
    EXPECT_TRUE(file.saveFile(path.c_str(), syntax).good());
    return path;
  }

  std::unique_ptr<HeldInstance> open(const std::string& path, const std::string& option = "") {
    const Ran ran = run("storescu", cat(option, " ", path));
    EXPECT_EQ(ran.status, 0) << ran.output;
    auto held = HeldInstance::open(*door_.get(), clock_, 1);
    EXPECT_TRUE(held.ok()) << held.error().message();
    return held.ok() ? std::move(*held) : nullptr;
  }

  StillClock clock_;
};

TEST_F(HeldInstanceTest, GivesEachFrameOfAnUncompressedObject) {
  for (const E_TransferSyntax syntax : {EXS_LittleEndianExplicit}) {
    const auto held = open(write("plain.dcm", kFrames, syntax));
    ASSERT_TRUE(held);
    EXPECT_EQ(*held->frames(), 100u);
    for (const std::uint32_t number : {1u, 42u, 100u}) {
      const auto frame = held->frame(number, false);
      ASSERT_TRUE(frame.ok()) << frame.error().message();
      EXPECT_EQ(*frame, pixels(kFrames).substr((number - 1) * kFrameBytes, kFrameBytes));
    }
    for (const std::uint32_t number : {0u, 101u}) EXPECT_FALSE(held->frame(number, false).ok());
    EXPECT_EQ(*held->bulk_size("7FE00010"), kFrames * kFrameBytes);
    EXPECT_EQ(*held->bulk("7FE00010", 1'000, 300), pixels(kFrames).substr(1'000, 300));
  }
}

TEST_F(HeldInstanceTest, GivesCompressedFramesAsHeldOrDecoded) {
  const std::string plain = write("plain.dcm", kFrames, EXS_LittleEndianExplicit);
  const std::string packed = folder_ + "/packed.dcm";
  ASSERT_EQ(run_command(cat("dcmcrle ", plain, " ", packed)).status, 0);
  const auto held = open(packed, "-xr");
  ASSERT_TRUE(held);
  const auto decoded = held->frame(77, false);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(*decoded, pixels(kFrames).substr(76 * kFrameBytes, kFrameBytes));
  const auto as_held = held->frame(77, true);
  ASSERT_TRUE(as_held.ok()) << as_held.error().message();
  EXPECT_LT(as_held->size(), kFrameBytes);
  EXPECT_EQ(as_held->substr(0, 4), std::string("\x02\0\0\0", 4));  // two RLE segments
  EXPECT_FALSE(held->bulk_size("7FE00010").ok());
  EXPECT_EQ(frame_media_type(held->about().transfer_syntax_uid), "image/dicom-rle");
}

TEST_F(HeldInstanceTest, MetadataIsTheDataSetInUtf8WithItsPixelsByAddress) {
  const auto held = open(write("plain.dcm", 2, EXS_LittleEndianExplicit));
  ASSERT_TRUE(held);
  const auto metadata = held->metadata("https://here/bulkdata");
  ASSERT_TRUE(metadata.ok());
  const core::Json& json = *metadata;
  EXPECT_EQ(json["00100010"]["Value"][std::size_t{0}]["Alphabetic"].text(), "Müller^Jörg");
  EXPECT_EQ(json["00080005"]["Value"][std::size_t{0}].text(), "ISO_IR 192");
  EXPECT_EQ(json["00280010"]["Value"][std::size_t{0}].integer(), 16);
  EXPECT_EQ(json["00280010"]["vr"].text(), "US");
  EXPECT_EQ(json["00281050"]["Value"][std::size_t{0}].number_text(), "50");
  EXPECT_EQ(json["7FE00010"]["BulkDataURI"].text(), "https://here/bulkdata/7FE00010");
  EXPECT_EQ(json["00083002"]["Value"][std::size_t{0}].text(), "1.2.840.10008.1.2.1");
}

TEST_F(HeldInstanceTest, ACorrectedIdentityShows) {
  const std::string path = write("plain.dcm", 1, EXS_LittleEndianExplicit);
  ASSERT_EQ(run("storescu", path).status, 0);
  const auto body = core::Json::parse(
      R"({"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1980-01-02",
          "identifier":[{"system":"urn:oid:2.25.1","value":"P9"}],
          "name":[{"family":"Κουτσού","given":["Άννα"]}]})",
      16);
  const auto change = [&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(
        sync::put_resource(connection, {"Patient", "p1"}, *body, "his", "2026-03-01T00:00:00Z"));
    return connection.run("UPDATE dicom_study SET identity = 'linked', patient = 'p1'");
  };
  ASSERT_TRUE(door_.get()->database().write(change).ok());
  const auto held = HeldInstance::open(*door_.get(), clock_, 1);
  ASSERT_TRUE(held.ok());
  const auto metadata = (*held)->metadata("");
  EXPECT_EQ((*metadata)["00100020"]["Value"][std::size_t{0}].text(), "P9");
  EXPECT_EQ((*metadata)["00100010"]["Value"][std::size_t{0}]["Alphabetic"].text(), "Κουτσού^Άννα");
  const core::Json& originals = (*metadata)["04000561"]["Value"][std::size_t{0}];
  EXPECT_EQ(
      originals["04000550"]["Value"][std::size_t{0}]["00100020"]["Value"][std::size_t{0}].text(),
      "P1");
  const auto found = query_archive(*door_.get(), {WebLevel::study, {{"PatientID", "P9"}}, 0, 10},
                                   "https://here", [] { return false; });
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->matches.size(), 1u);
  EXPECT_EQ(found->matches[0]["00081190"]["Value"][std::size_t{0}].text(),
            "https://here/studies/1.2.826.0.1.3680043.10.1");
  const auto late = query_archive(*door_.get(), {WebLevel::study, {{"PatientID", "P9"}}, 0, 10},
                                  "https://here", [] { return true; });
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code(), core::Code::cancelled);
}

TEST_F(HeldInstanceTest, MakesPicturesInBothFormatsAndSmall) {
  const auto held = open(write("plain.dcm", 3, EXS_LittleEndianExplicit));
  ASSERT_TRUE(held);
  const auto jpeg = held->picture(2, PictureFormat::jpeg, 0);
  ASSERT_TRUE(jpeg.ok()) << jpeg.error().message();
  EXPECT_EQ(jpeg->substr(0, 2), "\xff\xd8");
  const auto png = held->picture(2, PictureFormat::png, 8);
  ASSERT_TRUE(png.ok()) << png.error().message();
  EXPECT_EQ(png->substr(1, 3), "PNG");
  // Width and height stand behind the first chunk's name.
  EXPECT_EQ(png->substr(16, 8), std::string("\0\0\0\x08\0\0\0\x08", 8));
  EXPECT_FALSE(held->picture(4, PictureFormat::png, 8).ok());
}

}  // namespace
}  // namespace gateway::adapters::dicom
