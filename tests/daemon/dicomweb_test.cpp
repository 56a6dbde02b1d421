// What DICOMweb's addresses and Accept headers mean, and what its answers may take.
#include <gtest/gtest.h>

#include "daemon/api/dicomweb/accept.h"
#include "daemon/api/dicomweb/memory.h"
#include "daemon/api/dicomweb/place.h"

namespace gateway::daemon::dicomweb {
namespace {

using adapters::dicom::WebLevel;

constexpr char kRle[] = "1.2.840.10008.1.2.5";
constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";

TEST(DicomWebPlace, NamesSearchesAndWhatIsRetrieved) {
  struct Case {
    const char* path;
    Kind kind;
    WebLevel level;
  };
  for (const Case& one :
       {Case{"/studies", Kind::search, WebLevel::study},
        Case{"/series/", Kind::search, WebLevel::series},
        Case{"/instances", Kind::search, WebLevel::instance},
        Case{"/studies/1.2/series", Kind::search, WebLevel::series},
        Case{"/studies/1.2/instances", Kind::search, WebLevel::instance},
        Case{"/studies/1.2/series/3.4/instances", Kind::search, WebLevel::instance},
        Case{"/studies/1.2", Kind::instances, WebLevel::study},
        Case{"/studies/1.2/metadata", Kind::metadata, WebLevel::study},
        Case{"/studies/1.2/series/3.4", Kind::instances, WebLevel::series},
        Case{"/studies/1.2/series/3.4/thumbnail", Kind::thumbnail, WebLevel::series},
        Case{"/studies/1.2/series/3.4/instances/5/rendered", Kind::rendered, WebLevel::instance},
        Case{"/studies/1.2/series/3.4/instances/5/frames/1,3", Kind::frames, WebLevel::instance},
        Case{"/studies/1.2/series/3.4/instances/5/frames/2/rendered", Kind::rendered,
             WebLevel::instance},
        Case{"/studies/1.2/series/3.4/instances/5/bulkdata/7FE00010", Kind::bulk,
             WebLevel::instance}}) {
    const auto place = place_of(one.path);
    ASSERT_TRUE(place.ok()) << one.path;
    EXPECT_EQ(place->kind, one.kind) << one.path;
    EXPECT_EQ(place->level, one.level) << one.path;
  }
  const auto frames = place_of("/studies/1.2/series/3.4/instances/5/frames/1,3");
  EXPECT_EQ(frames->frames, (std::vector<std::uint32_t>{1, 3}));
}

TEST(DicomWebPlace, RefusesWhatIsNoPlace) {
  using core::Code;
  for (const char* path :
       {"", "/patients", "/series/1.2", "/studies/1.2/instances/3", "/studies/1.2/rendered",
        "/studies/1.2/series/3/frames/1", "/studies/1.2/metadata/more"}) {
    const auto place = place_of(path);
    ASSERT_FALSE(place.ok()) << path;
    EXPECT_EQ(place.error().code(), Code::not_found) << path;
  }
  for (const char* path :
       {"/studies/../series", "/studies/abc", "/studies/1.2/series/3/instances/5/frames/0",
        "/studies/1.2/series/3/instances/5/frames/x",
        "/studies/1.2/series/3/instances/5/frames/1,2/rendered"}) {
    const auto place = place_of(path);
    ASSERT_FALSE(place.ok()) << path;
    EXPECT_EQ(place.error().code(), Code::invalid) << path;
  }
}

TEST(DicomWebSearch, JoinsTheAddressWithTheQuery) {
  const auto search = search_of(*place_of("/studies/1.2/series"), {{"Modality", "CT"},
                                                                   {"SeriesInstanceUID", "1.3,1.4"},
                                                                   {"SeriesInstanceUID", "1.5"},
                                                                   {"includefield", "all"},
                                                                   {"fuzzymatching", "true"},
                                                                   {"limit", "999999"},
                                                                   {"offset", "7"}});
  ASSERT_TRUE(search.ok());
  const std::vector<std::pair<std::string, std::string>> keys = {
      {"StudyInstanceUID", "1.2"}, {"Modality", "CT"}, {"SeriesInstanceUID", "1.3\\1.4\\1.5"}};
  EXPECT_EQ(search->query.keys, keys);
  EXPECT_TRUE(search->fuzzy);
  EXPECT_EQ(search->query.limit, kMatchesMax);
  EXPECT_EQ(search->query.offset, 7u);
  EXPECT_FALSE(search_of(*place_of("/studies"), {{"limit", "-1"}}).ok());
  EXPECT_FALSE(search_of(*place_of("/studies"), {{"includefield", "NoSuchThing"}}).ok());
}

TEST(DicomWebAccept, ReadsTypesQuotesAndQualities) {
  const auto accepted = parse_accept(
      "text/html;q=0.5, multipart/related; type=\"image/jpeg,odd\"; transfer-syntax=*, "
      "image/png;q=0");
  ASSERT_EQ(accepted.size(), 2u);
  EXPECT_EQ(accepted[0].part, "image/jpeg,odd");
  EXPECT_EQ(accepted[0].transfer_syntax, "*");
  EXPECT_EQ(accepted[1].type, "text/html");
  EXPECT_EQ(parse_accept("")[0].type, "*/*");
  EXPECT_EQ(choose(parse_accept("image/*"), {"image/jpeg", "image/png"}), "image/jpeg");
  EXPECT_EQ(choose(parse_accept("image/gif"), {"image/jpeg", "image/png"}), std::nullopt);
}

TEST(DicomWebAccept, WhoNamesNoTransferSyntaxGetsTheDefaultAndWhoTakesAllWhatIsHeld) {
  const auto syntaxes = [](const char* header) {
    return instance_syntaxes(parse_accept(header), true);
  };
  EXPECT_EQ(syntaxes("multipart/related; type=\"application/dicom\""),
            std::vector<std::string>{kExplicitLittle});
  EXPECT_EQ(syntaxes(""), std::vector<std::string>{"*"});
  EXPECT_EQ(syntaxes("multipart/related; type=\"application/dicom\"; transfer-syntax=*"),
            std::vector<std::string>{"*"});
  EXPECT_TRUE(syntaxes("application/json").empty());
  EXPECT_EQ(instance_syntaxes(parse_accept("application/dicom"), false),
            std::vector<std::string>{kExplicitLittle});
}

TEST(DicomWebAccept, FramesComeDecodedUnlessTheirOwnTypeIsAskedFor) {
  const auto form = [](const char* header, bool can_decode) {
    return frame_form(parse_accept(header), kRle, "image/dicom-rle", can_decode);
  };
  EXPECT_EQ(form("multipart/related; type=\"application/octet-stream\"", true), FrameForm::decoded);
  EXPECT_EQ(form("", true), FrameForm::decoded);
  EXPECT_EQ(form("", false), FrameForm::as_held);
  EXPECT_EQ(form("multipart/related; type=\"image/dicom-rle\"", true), FrameForm::as_held);
  EXPECT_EQ(form("multipart/related; type=\"image/*\"; transfer-syntax=*", true),
            FrameForm::as_held);
  EXPECT_EQ(form("multipart/related; type=\"image/jpeg\"", true), std::nullopt);
  EXPECT_EQ(form("multipart/related; type=\"application/octet-stream\"", false), std::nullopt);
}

TEST(DicomWebMemory, NoTurnWhileTooMuchIsBeingSentOrSomebodyElseHasIt) {
  const auto memory = std::make_shared<Memory>();
  {
    const auto turn = memory->try_turn();
    EXPECT_TRUE(turn.owns_lock());
    EXPECT_FALSE(memory->try_turn().owns_lock());
  }
  auto much = memory->take(1u << 30);
  EXPECT_FALSE(memory->has_room());
  EXPECT_FALSE(memory->try_turn().owns_lock());
  much.reset();
  EXPECT_TRUE(memory->try_turn().owns_lock());
}

TEST(DicomWebMemory, ASeatIsFreeAgainWhenItsOwnerHasGone) {
  const auto seats = std::make_shared<Seats>(1);
  auto seat = seats->try_take();
  ASSERT_TRUE(seat);
  EXPECT_FALSE(seats->try_take());
  seat.reset();
  EXPECT_TRUE(seats->try_take());
}

}  // namespace
}  // namespace gateway::daemon::dicomweb
