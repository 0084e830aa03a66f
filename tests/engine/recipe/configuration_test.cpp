#include "engine/recipe/configuration.h"

#include "engine/base/error.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>

using namespace stillroom;

namespace {

struct Configured {
    TemporaryFolder folder;
    ConfigurationFiles files = {folder.path() / "site/config.yaml",
                                folder.path() / "user/config.yaml"};
    Sources sources;
    Diagnostics diagnostics;

    Configuration read() { return read_configuration(sources, files, diagnostics); }
    std::string messages() const { return render(diagnostics, sources, {}); }
};

}  // namespace

TEST_CASE("without files nothing is configured") {
    Configured configured;
    Configuration read = configured.read();
    CHECK(configured.diagnostics.empty());
    CHECK(read.launch == "local");
    CHECK_FALSE(read.launch_where);
    CHECK(read.store.empty());
    CHECK(read.allow_env.empty());
    CHECK(read.trust.empty());
}

TEST_CASE("a file with nothing but comments says nothing") {
    Configured configured;
    configured.folder.write("site/config.yaml", "# launch: slurm\n\n  # store: /data\n");
    CHECK(configured.read().launch == "local");
    CHECK(configured.diagnostics.empty());
}

TEST_CASE("the site wins over the user, key by key") {
    Configured configured;
    configured.folder.write("site/config.yaml", "launch: slurm\n");
    configured.folder.write("user/config.yaml", "launch: mpi\nstore: /fast/store\n");
    Configuration read = configured.read();
    CHECK(configured.messages() == "");
    CHECK(read.launch == "slurm");
    CHECK(configured.sources.slice(read.launch_where) == "slurm");
    CHECK(read.store == "/fast/store");
}

TEST_CASE("a relative path belongs to the folder of its file, ~ is the home folder") {
    Configured configured;
    ::setenv("HOME", configured.folder.path().c_str(), 1);
    configured.folder.write("user/config.yaml", "store: ../artifacts\n");
    configured.folder.write("site/config.yaml", "trust: [plugins/mine.so, ~/plugins, /opt/it]\n");
    Configuration read = configured.read();
    CHECK(read.store == configured.folder.path() / "artifacts");
    CHECK(read.trust ==
          std::vector<std::filesystem::path>{configured.folder.path() / "site/plugins/mine.so",
                                             configured.folder.path() / "plugins",
                                             "/opt/it"});
}

TEST_CASE("variables and trusted code are the site's to give, a user's file is refused") {
    Configured configured;
    configured.folder.write("site/config.yaml", "allow_env: [DATA_ROOT, CLUSTER_*]\n");
    configured.folder.write("user/config.yaml", "trust: [/tmp]\nallow_env: [MORE]\n");
    Configuration read = configured.read();
    CHECK(configured.diagnostics.errors() == 2);
    CHECK(configured.diagnostics.exit_code() == kExitPolicy);
    CHECK(read.allow_env == std::vector<std::string>{"DATA_ROOT", "CLUSTER_*"});
    CHECK(read.trust.empty());
}

TEST_CASE("a broken file is told with its place, and nothing of it counts") {
    Configured configured;
    configured.folder.write("user/config.yaml", "stoer: /data\nlaunch: slurm\n");
    Configuration read = configured.read();
    CHECK(configured.messages().find("user/config.yaml:1:1: error: unknown key 'stoer'") !=
          std::string::npos);
    CHECK(configured.messages().find("did you mean 'store'?") != std::string::npos);
    CHECK(configured.diagnostics.exit_code() == kExitUsage);
    CHECK(read.launch == "local");
}

TEST_CASE("a folder in the place of a file is a mistake, not a crash") {
    Configured configured;
    std::filesystem::create_directories(configured.files.user);
    configured.read();
    CHECK(configured.messages().find("it is a folder") != std::string::npos);
}

TEST_CASE("HF_HUB_OFFLINE counts as the Hub's tools read it, the flag always") {
    struct Spelling {
        const char* value;
        bool offline;
    };
    for (Spelling spelling : {Spelling{"1", true},
                              {"ON", true},
                              {"yes", true},
                              {"True", true},
                              {"0", false},
                              {"", false},
                              {"2", false}}) {
        CAPTURE(spelling.value);
        ::setenv("HF_HUB_OFFLINE", spelling.value, 1);
        CHECK(is_offline(false) == spelling.offline);
        CHECK(is_offline(true));
    }
    ::unsetenv("HF_HUB_OFFLINE");
    CHECK_FALSE(is_offline(false));
}
