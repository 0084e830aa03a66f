#include "plugins/lm/hub/hub_settings.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/hub/refusal.h"
#include "tests/plugins/lm/hub/variables.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

std::string cache_with(const std::map<std::string, std::string>& set) {
    Variables variables(set);
    return HubSettings::from_environment(false).cache.string();
}

bool offline_with(const std::map<std::string, std::string>& set) {
    Variables variables(set);
    return HubSettings::from_environment(false).offline;
}

TEST_CASE("the cache is where the nearest variable says") {
    CHECK(cache_with({{"HOME", "/h"}}) == "/h/.cache/huggingface/hub");
    CHECK(cache_with({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}) == "/x/huggingface/hub");
    CHECK(cache_with({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/f"}}) == "/f/hub");
    CHECK(cache_with({{"HF_HOME", "/f"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}) == "/old");
    CHECK(cache_with({{"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_HUB_CACHE", "/new"}}) == "/new");
    CHECK(cache_with({{"HOME", "/h"}, {"HF_HUB_CACHE", ""}}) == "/h/.cache/huggingface/hub");
}

TEST_CASE("a tilde and variables in it are expanded, others stay") {
    CHECK(cache_with({{"HOME", "/h"}, {"HF_HUB_CACHE", "~/c"}}) == "/h/c");
    CHECK(cache_with({{"HOME", "/h"}, {"HF_HUB_CACHE", "$HOME/c"}}) == "/h/c");
    CHECK(cache_with({{"STILLROOM_A", "x"}, {"HF_HUB_CACHE", "/s/${STILLROOM_A}/$STILLROOM_A_"}}) ==
          "/s/x/$STILLROOM_A_");
    CHECK(cache_with({{"HF_HUB_CACHE", "/a~/$"}}) == "/a~/$");
    CHECK(cache_with({{"HF_HUB_CACHE", "/a/${b"}}) == "/a/${b");
}

TEST_CASE("offline is said by exactly four words, and the Hub's variable comes first") {
    for (const char* word : {"1", "ON", "yes", "True"})
        CHECK(offline_with({{"HF_HUB_OFFLINE", word}}));
    for (const char* word : {"", "0", "2", "off", "y", "true "})
        CHECK(!offline_with({{"HF_HUB_OFFLINE", word}}));
    CHECK(offline_with({{"TRANSFORMERS_OFFLINE", "1"}}));
    CHECK(offline_with({{"HF_HUB_OFFLINE", ""}, {"TRANSFORMERS_OFFLINE", "1"}}));
    CHECK(!offline_with({{"HF_HUB_OFFLINE", "0"}, {"TRANSFORMERS_OFFLINE", "1"}}));
    Variables variables(Variables::Set{{"HF_HUB_OFFLINE", "0"}});
    CHECK(HubSettings::from_environment(true).offline);
}

TEST_CASE("the token comes from the first place that has one, and tells its source") {
    TemporaryFolder folder;
    std::string file = folder.write("token", "hf_file\n").string();
    auto token = [](const std::map<std::string, std::string>& set) {
        Variables variables(set);
        auto found = HubSettings::from_environment(false).token;
        return found ? found->source() + " " + found->authorization() : "none";
    };
    std::string home = folder.path().string();
    CHECK(token({{"HF_HOME", home}}) == home + "/token Bearer hf_file");
    CHECK(token({{"HF_HOME", "/none"}}) == "none");
    CHECK(token({{"HF_TOKEN_PATH", file}}) == file + " Bearer hf_file");
    CHECK(token({{"HF_TOKEN_PATH", file}, {"HUGGING_FACE_HUB_TOKEN", "old"}}) ==
          "HUGGING_FACE_HUB_TOKEN Bearer old");
    CHECK(token({{"HUGGING_FACE_HUB_TOKEN", "old"}, {"HF_TOKEN", "new"}}) == "HF_TOKEN Bearer new");
    CHECK(token({{"HF_TOKEN", " \n"}, {"HF_HOME", "/none"}}) == "none");
    CHECK(token({{"HF_TOKEN", "new"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}) == "none");
}

TEST_CASE("an endpoint loses its last slash and holds no password") {
    auto endpoint = [](const std::string& text) {
        Variables variables(Variables::Set{{"HF_ENDPOINT", text}});
        return refusal_of([] { throw Error({}, HubSettings::from_environment(false).endpoint); });
    };
    CHECK(endpoint("") == "1: https://huggingface.co");
    CHECK(endpoint("https://a.b/c//") == "1: https://a.b/c");
    CHECK(endpoint("http://localhost:80") == "1: http://localhost:80");
    for (const char* text : {"a.b", "file:///etc", "https://u:p@a", "https://a/?x", "https://"})
        CHECK(endpoint(text).starts_with("5: HF_ENDPOINT is no address"));
}

}  // namespace
}  // namespace stillroom::lm
