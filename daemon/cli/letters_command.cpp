#include "daemon/cli/letters_command.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

struct Asked {
  std::int64_t number = 0;
  std::string patient;
  std::string device;
  bool all = false;
  std::string reason;
};

std::string format_letters(const Json& answer) {
  std::string text;
  if (answer["letters"].size() == 0) {
    text = "No message waits for a person.\n";
  } else {
    std::vector<std::vector<std::string>> rows{
        {"NUMBER", "STATE", "DEVICE", "KIND", "RECEIVED", "REASON"}};
    for (const Json& letter : answer["letters"].items()) {
      rows.push_back({letter["number"].number_text(), std::string(letter["state"].text()),
                      std::string(letter["device"].text()), std::string(letter["kind"].text()),
                      std::string(letter["received_at"].text()),
                      std::string(letter["reason"].text())});
    }
    text = format_table(rows);
  }
  if (answer["gaps"].size() == 0) return text;
  std::vector<std::vector<std::string>> rows{{"COUNT", "DEVICE", "WHAT", "SYSTEM", "CODE", "TEXT"}};
  for (const Json& gap : answer["gaps"].items()) {
    rows.push_back({gap["count"].number_text(), std::string(gap["device"].text()),
                    std::string(gap["what"].text()), std::string(gap["system"].text()),
                    std::string(gap["code"].text()), std::string(gap["label"].text())});
  }
  return cat(text, "\nNot covered by any map:\n", format_table(rows));
}

std::string joined(const Json& texts) {
  std::string all;
  for (const Json& one : texts.items()) {
    std::string text(one.text());
    std::replace(text.begin(), text.end(), '_', ' ');
    all += cat(all.empty() ? "" : ", ", text);
  }
  return all;
}

std::string format_suggestions(const Json& letter) {
  std::vector<std::vector<std::string>> rows{
      {"PATIENT", "SCORE", "NAME", "BORN", "IDENTIFIER", "BECAUSE", "BUT"}};
  for (const Json& one : letter["suggestions"].items()) {
    rows.push_back({std::string(one["patient"].text()), one["score"].number_text(),
                    std::string(one["name"].text()), std::string(one["birth_date"].text()),
                    std::string(one["identifiers"][0U]["value"].text()), joined(one["because"]),
                    joined(one["but"])});
  }
  if (rows.size() == 1) return {};
  return cat("\nPerhaps, for you to decide:\n", format_table(rows),
             "\nTo take it: clinic-gateway letters retry ", letter["number"].number_text(),
             " --patient PATIENT\n");
}

std::string format_letter(const Json& letter) {
  std::string message(letter["text"].text());
  std::replace(message.begin(), message.end(), '\r', '\n');
  return cat("Message ", letter["number"].number_text(), " of ", letter["device"].text(), ", ",
             letter["state"].text(), ": ", letter["reason"].text(), "\n\n", message, "\n",
             format_suggestions(letter));
}

std::string format_outcome(const Json& outcome) {
  const std::string_view reason = outcome["reason"].text();
  return cat("Message ", outcome["number"].number_text(), ": ", outcome["state"].text(),
             reason.empty() ? "" : ": ", reason, "\n");
}

std::string format_samples(const Json& answer) {
  std::vector<std::vector<std::string>> rows{
      {"DEVICE", "MESSAGES", "VALUES", "BYTES", "FIRST", "LAST"}};
  for (const Json& one : answer["samples"].items()) {
    rows.push_back({std::string(one["device"].text()), one["messages"].number_text(),
                    one["values"].number_text(), one["bytes"].number_text(),
                    std::string(one["first_at"].text()), std::string(one["last_at"].text())});
  }
  if (rows.size() == 1) return "No monitor has said anything that is not sent on.\n";
  return format_table(rows);
}

std::string format_samples_of(const Json& answer) {
  std::string text;
  for (const Json& one : answer["messages"].items())
    text += cat(one["received_at"].text(), '\n', one["text"].text(), '\n');
  std::replace(text.begin(), text.end(), '\r', '\n');
  return text;
}

int show_samples(const CommonOptions& common, const Asked& asked) {
  if (asked.device.empty()) return show(common, "/v1/letters/samples", format_samples);
  return show(common, cat("/v1/letters/samples/", asked.device), format_samples_of);
}

std::string format_retried(const Json& sums) {
  const std::string_view why = sums["why"].text();
  return cat(sums["tried"].number_text(),
             " messages worked on again: ", sums["stored"].number_text(), " stored, ",
             sums["unassigned"].number_text(), " without a patient, ", sums["dead"].number_text(),
             " unreadable, ", sums["failed"].number_text(), " left alone", why.empty() ? "" : ": ",
             why, "\n");
}

/// Page after page, so that none of them keeps the gateway long.
int retry_all(const CommonOptions& common, const Asked& asked) {
  constexpr const char* kCounts[] = {"tried", "stored", "unassigned", "dead", "failed"};
  std::vector<std::int64_t> counts(std::size(kCounts));
  std::string why;
  Json wish = Json::object({{"device", asked.device}, {"reason", asked.reason}});
  while (true) {
    auto page = ask(common.socket, post("/v1/letters", wish.dump()), kLongTimeout);
    if (!page.ok()) {
      return complain(common, std::move(page).error().with_context(
                                  cat("after ", counts[0], " messages were worked on again")));
    }
    for (std::size_t i = 0; i < counts.size(); ++i)
      counts[i] += (*page)[kCounts[i]].integer().value_or(0);
    if (why.empty()) why = (*page)["why"].text();
    if ((*page)["next"].is_null()) break;
    wish.set("after", (*page)["next"]);
  }
  Json sums = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) sums.set(kCounts[i], counts[i]);
  sums.set("why", why);
  return print(common, sums, format_retried);
}

int retry(const CommonOptions& common, const Asked& asked) {
  if (asked.all) return retry_all(common, asked);
  Json body = Json::object();
  if (!asked.patient.empty()) body.set("patient", asked.patient);
  const auto answer =
      ask(common.socket, post(cat("/v1/letters/", asked.number), body.dump()), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format_outcome);
}

}  // namespace

void add_letters_commands(CLI::App& app, const CommonOptions& common,
                          std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* letters = app.add_subcommand(
      "letters", "messages that could not be read, mapped or given a patient, and unmapped codes");
  letters->fallthrough();
  letters->callback([&common, &action] {
    // A subcommand's own action stands.
    if (!action) action = [&common] { return show(common, "/v1/letters", format_letters); };
  });
  CLI::App* one = letters->add_subcommand("show", "one message as it came");
  one->fallthrough();
  one->add_option("number", asked->number, "number of the message")->required();
  one->callback([&common, &action, asked] {
    action = [&common, asked] {
      return show(common, cat("/v1/letters/", asked->number), format_letter);
    };
  });
  CLI::App* samples =
      letters->add_subcommand("samples", "what monitors said between the values that are sent");
  samples->fallthrough();
  samples->add_option("device", asked->device, "its newest messages as they came; default: counts");
  samples->callback([&common, &action, asked] {
    action = [&common, asked] { return show_samples(common, *asked); };
  });
  CLI::App* again = letters->add_subcommand("retry", "work on it again, as configured now");
  again->fallthrough();
  CLI::Option* number = again->add_option("number", asked->number, "number of the message");
  again->add_option("--patient", asked->patient, "id of the Patient it is about")->needs(number);
  CLI::Option* all = again->add_flag("--all", asked->all, "every message that waits");
  number->excludes(all);
  again->add_option("--device", asked->device, "with --all: of this device only")->needs(all);
  again->add_option("--reason", asked->reason, "with --all: whose reason has this text in it")
      ->needs(all);
  again->callback([&common, &action, asked] {
    if (asked->number == 0 && !asked->all)
      throw CLI::RequiredError("the number of a message, or --all");
    action = [&common, asked] { return retry(common, *asked); };
  });
}

}  // namespace gateway::cli
