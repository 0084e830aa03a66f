#include "plugins/checkpoint/model_folder.h"

#include "engine/base/json_value.h"
#include "plugins/checkpoint/inspection.h"
#include "plugins/checkpoint/model_source.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/checkpoint/model_of.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::checkpoint;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

TEST_CASE(
    "a folder that holds only config.json is inspected, and its weights are asked for in vain") {
    TemporaryFolder scratch;
    write_file(scratch.path() / "config.json", lm::config_json(tiny_model()));
    ModelFolder model = open_model(scratch.path());
    CHECK(!model.weights);
    CHECK(lm::refusal_of([&] { model.tensors(); }).find("no weights") != std::string::npos);
    Inspection found = inspect(scratch.path(), {});
    CHECK(!found.has_weights);
    CHECK(found.tensors == 21);
    CHECK(found.memory_bytes == static_cast<std::uint64_t>(found.counts.total) * 4);
}

TEST_CASE("a report has its keys, with the counts of the tensors") {
    TemporaryFolder scratch;
    write_model(scratch.path() / "m", tiny_model(), lm::Dtype::bf16);
    InspectOptions options;
    options.list_tensors = options.statistics = true;
    Inspection found = inspect(scratch.path() / "m", options);
    Json report = Json::parse(json_of(found, "vllm"));
    std::int64_t total = 32 * 8 * 2 + 8 + 2 * (8 + 8 + 8 * 8 + 4 * 8 * 2 + 8 * 8 + 3 * 16 * 8);
    CHECK(report.at("family").string() == "llama");
    CHECK(report.at("parameters").at("total").integer() == total);
    CHECK(report.at("parameters").at("embedding").integer() == 512);
    CHECK(report.at("parameters").at("active").integer() == total);
    CHECK(report.at("layers").integer() == 2);
    CHECK(report.at("tensors").integer() == 21);
    CHECK(report.at("memory_bytes").integer() == total * 2);
    CHECK(report.at("dtypes").at("BF16").at("parameters").integer() == total);
    CHECK(report.at("tensor_list").list().size() == 21);
    CHECK(report.at("tensor_list").list().front().find("rms"));
    CHECK(report.at("runtime").at("name").string() == "vllm");
    CHECK(text_of(found, "").find("NaN: 0, infinite: 0") != std::string::npos);
}

TEST_CASE("the files of a source are those that count") {
    TemporaryFolder scratch;
    write_model(scratch.path(), tiny_model());
    fs::create_directories(scratch.path() / "additional_chat_templates");
    for (const char* name : {"tokenizer.json",
                             "LICENSE.txt",
                             "additional_chat_templates/tool.jinja",
                             "modeling.py",
                             "optimizer.pt",
                             "picture.png",
                             ".hidden"})
        write_file(scratch.path() / name, "{}");
    FolderFiles files = list_files(scratch.path());
    CHECK(bound_files(open_model(scratch.path()), files) ==
          Names{"LICENSE.txt",
                "additional_chat_templates/tool.jinja",
                "config.json",
                "model.safetensors",
                "tokenizer.json"});
    CHECK(files.unopened == Names{"modeling.py", "optimizer.pt"});
    CHECK(files.others == Names{"picture.png"});
}

TEST_CASE("hooks are found where loaders look for them, and a token of that name is none") {
    TemporaryFolder scratch;
    write_model(scratch.path(), tiny_model());
    write_file(scratch.path() / "tokenizer_config.json", R"({"a": {"auto_map": {}}})");
    write_file(scratch.path() / "added_tokens.json", R"({"custom_token": 5, "auto_map": 6})");
    CHECK(hooks_of(scratch.path(), list_files(scratch.path())) ==
          Names{"tokenizer_config.json: a.auto_map"});
}

TEST_CASE("who names something near a model is told what to name") {
    TemporaryFolder scratch;
    write_model(scratch.path() / "up/model", tiny_model());
    auto hint = [](const std::function<void()>& act) {
        try {
            act();
        } catch (const Error& error) {
            return error.hint_text();
        }
        return std::string();
    };
    std::string up = (scratch.path() / "up").string();
    CHECK(hint([&] { open_model(up); }) == "did you mean " + up + "/model?");
    CHECK(hint([&] { parse_source(up + "/model/model.safetensors"); }) ==
          "name the folder: " + up + "/model/");
    write_file(scratch.path() / "w.pt", "x");
    CHECK(lm::refusal_of([&] {
              parse_source((scratch.path() / "w.pt").string());
          }).starts_with("10: "));
    CHECK(lm::refusal_of([&] { parse_source("/nowhere/at/all"); }).starts_with("3: "));
}

}  // namespace
