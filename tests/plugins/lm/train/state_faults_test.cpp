#include "engine/base/files.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/train/small_training.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>

// What a writer that is killed or starved leaves: another program writes, with tests/faults in it.

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

struct Ended {
    int code = 0;  ///< -1: killed
    std::string said;
};

Ended run_saver(const std::string& fault, const fs::path& work, int first, int last) {
    fs::path said = work.parent_path() / "said";
    std::string command = fmt::format("FAULT={} LD_PRELOAD={} exec {} {} {} {} 2> {}",
                                      fault,
                                      STILLROOM_FAULTS,
                                      STILLROOM_STATE_SAVER,
                                      work.string(),
                                      first,
                                      last,
                                      said.string());
    int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(said, 100000)};
}

}  // namespace

TEST_CASE("K1: killed at any call a writer leaves a whole state, and its leavings are swept") {
    for (const char* how : {"kill", "torn"}) {
        int killed = 0;
        for (int call = 1;; ++call) {
            TemporaryFolder folder;
            fs::path work = folder / "work";
            REQUIRE(run_saver("any:0:kill", work, 1, 1).code == 0);
            Ended ended = run_saver(fmt::format("any:{}:{}", call, how), work, 2, 3);
            std::optional<FoundState> found = find_state(work, {.strict = true});
            INFO(how << " at call " << call);
            REQUIRE(found);
            CHECK(is_whole(*found));
            if (ended.code == 0) {
                CHECK(found->point.step == 3);
                break;
            }
            killed++;
            StatePlace place = SmallTraining::place(work);
            place.resumed = found->point.step;
            place.keep = 1;
            StateWriter writer(place);
            writer.write(SmallTraining().share(4), SmallTraining::point(4));
            writer.wait();
            CHECK(list_folder(work / "checkpoints") == std::vector<std::string>{"step-00000004"});
            CHECK(list_folder(work).size() == 2);
        }
        CHECK(killed > 40);
    }
}

TEST_CASE("K3: a disk that fails at any call ends the work with 4, and the state before stays") {
    for (const char* why : {"ENOSPC", "EIO"})
        for (int call = 1;; ++call) {
            TemporaryFolder folder;
            fs::path work = folder / "work";
            REQUIRE(run_saver("any:0:kill", work, 1, 1).code == 0);
            Ended ended = run_saver(fmt::format("any:{}+:{}", call, why), work, 2, 3);
            std::optional<FoundState> found = find_state(work, {.strict = true});
            INFO(why << " from call " << call << ": " << ended.said);
            REQUIRE(found);
            CHECK(is_whole(*found));
            if (ended.code == 0)
                break;
            CHECK(ended.code == 4);
            CHECK(ended.said.find("cannot write " + work.string()) != std::string::npos);
            if (why[1] == 'N')
                CHECK(ended.said.find(" free") != std::string::npos);
        }
}

}  // namespace stillroom::lm
