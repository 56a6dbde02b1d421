#include "daemon/cli/studies_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "adapters/dicom/media.h"
#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 512u << 10;
constexpr core::Milliseconds kPieceTimeout{120'000};  // one may have to be decoded

struct Asked {
  std::vector<std::string> study_uids;
  std::string study_uid;
  std::string uplink;
  std::string patient;
  std::string folder;
  std::string series_uid;
  std::vector<std::string> instances;
  std::string reason;
};

std::string target(const std::string& study_uid, std::string_view action = "") {
  return cat("/v1/study/", study_uid, action);
}

/// Every instance of a study, page by page; the first page's other members are kept.
core::Result<Json> whole_study(const std::string& socket, const std::string& study_uid) {
  GW_TRY(Json study, ask(socket, get(target(study_uid)), kTimeout));
  Json instances = Json::array();
  Json page = study;
  while (page["instances"].size() > 0) {
    std::string last;
    for (const Json& instance : page["instances"].items()) {
      instances.add(instance);
      last = instance["row"].number_text();
    }
    GW_TRY(page, ask(socket, get(target(study_uid, cat("?from=", last))), kTimeout));
  }
  study.set("instances", instances);
  return study;
}

std::string format_study(const Json& study) {
  std::vector<std::vector<std::string>> rows{
      {"NUMBER", "SOP INSTANCE UID", "TRANSFER SYNTAX", "BYTES", "HELD"}};
  for (const Json& instance : study["instances"].items()) {
    rows.push_back({std::string(instance["number"].text()),
                    std::string(instance["sop_instance_uid"].text()),
                    std::string(instance["transfer_syntax_uid"].text()),
                    format_bytes(instance["bytes"].integer().value_or(0)),
                    instance["held"].boolean() ? "yes" : "no"});
  }
  return cat(study["patient_name"].text(), " (", study["patient_id"].text(), "), ",
             study["date"].text(), " ", study["description"].text(), "\n\n", format_table(rows));
}

int show_study(const CommonOptions& common, const Asked& asked) {
  const auto study = whole_study(common.socket, asked.study_uid);
  if (!study.ok()) return complain(common, study.error());
  return print(common, *study, format_study);
}

int send(const CommonOptions& common, const Asked& asked) {
  const Json body = Json::object({{"uplink", asked.uplink}});
  const auto answer =
      ask(common.socket, post(target(asked.study_uid, "/send"), body.dump()), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, [](const Json& done) {
    return cat(done["queued"].number_text(), " images wait to be sent.\n");
  });
}

int remove(const CommonOptions& common, const Asked& asked) {
  const auto answer =
      ask(common.socket, post(target(asked.study_uid, "/delete"), "{}"), kLongTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  const int printed = print(common, *answer, [](const Json& done) {
    return cat(done["evicted"].number_text(), " images left this gateway; ",
               done["kept"].number_text(),
               " stay: the study is pinned or in dispute, or the PACS was not read back yet.\n");
  });
  return (*answer)["kept"].integer().value_or(0) > 0 ? kFailed : printed;
}

int withdraw(const CommonOptions& common, const Asked& asked) {
  Json instances = Json::array();
  for (const std::string& uid : asked.instances) instances.add(uid);
  Json body = Json::object({{"reason", asked.reason}, {"series", asked.series_uid}});
  body.set("instances", std::move(instances));
  const auto answer =
      ask(common.socket, post(target(asked.study_uid, "/withdraw"), body.dump()), kLongTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, [](const Json& done) {
    return cat(done["withdrawn"].number_text(),
               " images are shown to nobody any more and go to no PACS; the note ",
               done["note"].text(),
               " tells the PACS that have them.\nclinic-gateway studies restore takes it back "
               "here.\n");
  });
}

int restore(const CommonOptions& common, const Asked& asked) {
  const auto answer =
      ask(common.socket, post(target(asked.study_uid, "/restore"), "{}"), kLongTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, [](const Json& done) {
    return cat(
        done["restored"].number_text(),
        " images are shown again here. A PACS that got the note goes on hiding them: have it "
        "taken back there.\n");
  });
}

core::Status write_file(const std::string& socket, const std::string& row, const fs::path& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  for (std::uint64_t offset = 0;;) {
    GW_TRY(const std::string piece,
           ask_bytes(socket, get(cat("/v1/media/", row, "?from=", offset)), kPieceTimeout));
    if (piece.empty()) break;
    file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    offset += piece.size();
  }
  file.flush();
  if (file.good()) return {};
  return Error(Code::io, cat(path.string(), " cannot be written: is there room and permission?"));
}

/// Eight characters that ISO 9660 knows (PS3.12 F).
std::string file_id(const char* kind, std::size_t number) {
  std::string digits = std::to_string(number);
  return cat(kind, std::string(6 - std::min<std::size_t>(6, digits.size()), '0'), digits);
}

core::Status export_study(const std::string& socket, const std::string& folder,
                          const std::string& study_uid, std::size_t number,
                          std::vector<std::string>& files, std::int64_t& missing) {
  GW_TRY(const Json study, whole_study(socket, study_uid));
  const std::string below = cat("DICOM/", file_id("ST", number));
  std::error_code failed;
  fs::create_directories(fs::path(folder) / below, failed);
  if (failed) return Error(Code::io, cat(folder, " cannot be written into: ", failed.message()));
  std::size_t image = 0;
  for (const Json& instance : study["instances"].items()) {
    if (!instance["held"].boolean()) {
      ++missing;
      continue;
    }
    files.push_back(cat(below, "/", file_id("IM", ++image)));
    GW_CHECK(write_file(socket, instance["row"].number_text(), fs::path(folder) / files.back()));
  }
  return {};
}

core::Result<Json> export_all(const std::string& socket, const Asked& asked) {
  if (fs::exists(fs::path(asked.folder) / "DICOMDIR") ||
      fs::exists(fs::path(asked.folder) / "DICOM"))
    return Error(Code::exists,
                 cat(asked.folder, " holds DICOM files already; name another folder"));
  std::vector<std::string> files;
  std::int64_t missing = 0;
  for (std::size_t i = 0; i < asked.study_uids.size(); ++i)
    GW_CHECK(export_study(socket, asked.folder, asked.study_uids[i], i + 1, files, missing));
  GW_TRY(const auto directory, adapters::dicom::write_dicomdir(asked.folder, files));
  return Json::object({{"files", static_cast<std::int64_t>(files.size())},
                       {"unlisted", static_cast<std::int64_t>(directory.unlisted.size())},
                       {"missing", missing}});
}

int export_studies(const CommonOptions& common, const Asked& asked) {
  const auto done = export_all(common.socket, asked);
  if (!done.ok()) return complain(common, done.error());
  const int printed = print(common, *done, [](const Json& answer) {
    return cat(answer["files"].number_text(), " files written, ", answer["unlisted"].number_text(),
               " of them not in the DICOMDIR; ", answer["missing"].number_text(),
               " images are not here any more.\nThey are not encrypted: keep the medium safe.\n");
  });
  return (*done)["missing"].integer().value_or(0) > 0 ? kFailed : printed;
}

core::Result<std::string> import_file(const std::string& socket, const std::string& patient,
                                      const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const Json wish = Json::object({{"patient", patient}});
  GW_TRY(const Json begun, ask(socket, post("/v1/media/import", wish.dump()), kTimeout));
  std::string piece(kPieceBytes, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    GW_TRY(const Json taken,
           ask(socket,
               post("/v1/media/bytes", piece.substr(0, static_cast<std::size_t>(file.gcount()))),
               kPieceTimeout));
  }
  if (file.bad()) return Error(Code::io, "it cannot be read");
  GW_TRY(const Json done, ask(socket, post("/v1/media/done", "{}"), kPieceTimeout));
  return std::string(done["outcome"].text());
}

bool is_part10(const fs::path& path) {
  constexpr std::size_t kPreamble = 128;
  std::ifstream file(path, std::ios::binary);
  char mark[4] = {};
  file.seekg(kPreamble);
  return file.read(mark, sizeof mark) && std::string_view(mark, sizeof mark) == "DICM";
}

core::Result<std::vector<fs::path>> dicom_files(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (!at->is_regular_file() || at->path().filename() == "DICOMDIR") continue;
    if (is_part10(at->path())) files.push_back(at->path());
  }
  if (failed) return Error(Code::io, cat(folder, " cannot be read: ", failed.message()));
  std::sort(files.begin(), files.end());
  return files;
}

core::Result<Json> import_all(const std::string& socket, const Asked& asked) {
  GW_TRY(const auto files, dicom_files(asked.folder));
  std::int64_t stored = 0;
  std::int64_t repeated = 0;
  Json refused = Json::array();
  for (const fs::path& file : files) {
    const auto outcome = import_file(socket, asked.patient, file);
    if (outcome.ok()) {
      ++(*outcome == "repeated" ? repeated : stored);
      continue;
    }
    const Code code = outcome.error().code();
    if (code != Code::invalid && code != Code::io) return outcome.error();
    refused.add(Json::object({{"file", file.string()}, {"reason", outcome.error().message()}}));
  }
  Json report = Json::object({{"stored", stored}, {"repeated", repeated}});
  report.set("refused", refused);
  return report;
}

std::string format_import(const Json& report) {
  std::string text = cat(report["stored"].number_text(), " images taken in, ",
                         report["repeated"].number_text(), " were held already.\n");
  for (const Json& file : report["refused"].items())
    text += cat("Not taken in: ", file["file"].text(), ": ", file["reason"].text(), "\n");
  return text;
}

int import_studies(const CommonOptions& common, const Asked& asked) {
  const auto report = import_all(common.socket, asked);
  if (!report.ok()) return complain(common, report.error());
  const int printed = print(common, *report, format_import);
  return (*report)["refused"].size() > 0 ? kFailed : printed;
}

}  // namespace

void add_studies_commands(CLI::App& studies, const CommonOptions& common,
                          std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  const auto command = [&](const char* name, const char* what,
                           int (*act)(const CommonOptions&, const Asked&)) {
    CLI::App* sub = studies.add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&common, &action, asked, act] {
      action = [&common, asked, act] { return act(common, *asked); };
    });
    return sub;
  };
  const auto of_one = [&](CLI::App* sub) {
    sub->add_option("study", asked->study_uid, "Study Instance UID")->required();
    return sub;
  };
  of_one(command("show", "the images of one study", show_study));
  of_one(command("send", "send its images again", send))
      ->add_option("--uplink", asked->uplink, "to this uplink only");
  of_one(command("delete", "let its images go now, those the PACS has proven to have", remove));
  CLI::App* gone = of_one(command(
      "withdraw", "withdraw images here and at the PACS: a rejection note (IHE IOCM)", withdraw));
  gone->add_option("--because", asked->reason, "why")
      ->required()
      ->check(CLI::IsMember({"quality", "wrong-patient", "wrong-entry", "expired"}));
  gone->add_option("--series", asked->series_uid, "of this series only");
  gone->add_option("--instance", asked->instances, "this image only; may be given again");
  of_one(command("restore", "show what was withdrawn again here", restore));
  CLI::App* out = command("export", "write studies as DICOM files with a DICOMDIR", export_studies);
  out->add_option("studies", asked->study_uids, "Study Instance UIDs")->required();
  out->add_option("--to", asked->folder, "the folder")->required();
  CLI::App* in = command("import", "take in the DICOM files of a CD or folder", import_studies);
  in->add_option("folder", asked->folder, "the folder")->required();
  in->add_option("--patient", asked->patient, "id of the Patient here whose images they are")
      ->required();
}

}  // namespace gateway::cli
