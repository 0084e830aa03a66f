#include "plugins/lm/train/state_writer.h"

#include "engine/base/files.h"
#include "plugins/lm/train/state_tensors.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/train/small_training.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <limits>
#include <thread>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

std::string states_in(const fs::path& work) {
    std::string out;
    for (const std::string& name : list_folder(work / "checkpoints"))
        out += (out.empty() ? "" : " ") + name;
    return out;
}

void save(StateWriter& writer, std::int64_t step) {
    writer.write(SmallTraining().share(step), SmallTraining::point(step));
}

/// States of steps 100, 200 and 300.
void save_three(const fs::path& work) {
    StateWriter writer(SmallTraining::place(work));
    for (std::int64_t step : {100, 200, 300})
        save(writer, step);
    writer.wait();
}

std::int64_t found_step(const fs::path& work, std::size_t passed_over = 0) {
    std::optional<FoundState> found = find_state(work, {});
    if (!found)
        return 0;
    CHECK(found->passed_over.size() == passed_over);
    return found->point.step;
}

}  // namespace

TEST_CASE("what is saved is found") {
    TemporaryFolder folder;
    folder.write("from/tokenizer.json", "words");
    CHECK_FALSE(find_state(folder.path(), {}));
    StatePlace place = SmallTraining::place(folder.path());
    place.files = {folder / "from/tokenizer.json"};
    place.layout = {{"tensor", 2}};
    StateWriter writer(place);
    save(writer, 100);
    writer.wait();
    CHECK(writer.newest() == 100);
    CHECK_FALSE(writer.busy());
    std::optional<FoundState> found = find_state(folder.path(), {.strict = true});
    REQUIRE(found);
    CHECK(is_whole(*found));
    CHECK(found->manifest.stage == "abc");
    CHECK(found->manifest.layout.at("tensor") == 2);
    CHECK(read_file(folder / "latest", 100) == "step-00000100\n");
    CHECK(read_file(found->folder / "tokenizer.json", 100) == "words");
    std::string names;
    for (const std::string& name : list_folder(found->folder))
        names += name + " ";
    CHECK(names ==
          "config.json manifest.json model-00001-of-00001.safetensors model.safetensors.index.json "
          "optimizer-00001.safetensors state.json tokenizer.json ");
}

TEST_CASE("a point comes back as it was, and nothing else is taken for one") {
    TrainingPoint point = SmallTraining::point(7);
    point.seconds = 0.1;
    point.loss_scale = 65536;
    point.first["lm loss"] = std::numeric_limits<double>::infinity();
    CHECK(parse_point(point_text(point)) == point);
    for (const char* text : {"", "{}", "[]", "{\"step\": 1e30}", "{\"step\": \"7\"}"})
        CHECK(refusal_of([&] { parse_point(text); }).starts_with("3: "));
    CHECK(refusal_of([&] { parse_point(point_text(point) + " "); }) ==
          "3: state.json is not as it was written");
}

TEST_CASE("older states go, as many as wished, and only for a newer one") {
    TemporaryFolder folder;
    StatePlace place = SmallTraining::place(folder.path());
    SUBCASE("two") {
        place.keep = 2;
        StateWriter writer(place);
        for (std::int64_t step : {1, 2, 3})
            save(writer, step);
        writer.wait();
        CHECK(states_in(folder.path()) == "step-00000002 step-00000003");
    }
    SUBCASE("all") {
        place.keep = -1;
        StateWriter writer(place);
        for (std::int64_t step : {1, 2, 3})
            save(writer, step);
        writer.wait();
        CHECK(states_in(folder.path()) == "step-00000001 step-00000002 step-00000003");
    }
    SUBCASE("none is one") {
        place.keep = 0;
        StateWriter writer(place);
        for (std::int64_t step : {1, 2})
            save(writer, step);
        writer.wait();
        CHECK(states_in(folder.path()) == "step-00000002");
    }
}

TEST_CASE("a step is saved once") {
    TemporaryFolder folder;
    StatePlace place = SmallTraining::place(folder.path());
    place.resumed = 100;
    StateWriter writer(place);
    save(writer, 100);
    writer.wait();
    CHECK(states_in(folder.path()).empty());
    CHECK(writer.newest() == 100);
}

TEST_CASE("what a state is made of is let go when it is written") {
    TemporaryFolder folder;
    StateWriter writer(SmallTraining::place(folder.path()));
    StateShare share = SmallTraining().share(1);
    std::weak_ptr<const void> kept = share.keeps;
    writer.write(std::move(share), SmallTraining::point(1));
    for (int i = 0; i < 12000 && writer.busy(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK_FALSE(writer.busy());
    CHECK(kept.expired());
}

TEST_CASE("K7: a damaged state is passed over and named, and refused where one is strict") {
    TemporaryFolder folder;
    save_three(folder.path());
    fs::path newest = folder / "checkpoints/step-00000300";
    auto flip = [&](const std::string& name, std::size_t at) {
        std::string bytes = read_file(newest / name, 1 << 20);
        at = std::min(at, bytes.size() - 1);
        bytes[at] = static_cast<char>(bytes[at] ^ 1);
        folder.write(newest / name, bytes);
    };
    SUBCASE("a byte of the weights") {
        flip("model-00001-of-00001.safetensors", 1 << 20);
    }
    SUBCASE("a byte of the optimizer") {
        flip("optimizer-00001.safetensors", 1 << 20);
    }
    SUBCASE("a byte of a header") {
        flip("optimizer-00001.safetensors", 20);
    }
    SUBCASE("a byte of the point") {
        flip("state.json", 30);
    }
    SUBCASE("a byte of config.json") {
        flip("config.json", 0);
    }
    SUBCASE("a byte of the manifest") {
        flip("manifest.json", 14);
    }
    SUBCASE("another byte of the manifest") {
        flip("manifest.json", 1 << 20);
    }
    SUBCASE("a file is cut") {
        fs::resize_file(newest / "optimizer-00001.safetensors", 100);
    }
    SUBCASE("the manifest is cut") {
        fs::resize_file(newest / "manifest.json", 100);
    }
    SUBCASE("the manifest is empty") {
        fs::resize_file(newest / "manifest.json", 0);
    }
    SUBCASE("a shard is gone") {
        fs::remove(newest / "model-00001-of-00001.safetensors");
    }
    SUBCASE("the manifest is gone") {
        fs::remove(newest / "manifest.json");
    }
    SUBCASE("all is gone") {
        fs::remove_all(newest);
        fs::create_directory(newest);
    }
    SUBCASE("a file is a link") {
        fs::rename(newest / "state.json", folder / "elsewhere");
        fs::create_symlink(folder / "elsewhere", newest / "state.json");
    }
    SUBCASE("the folder is a link") {
        fs::rename(newest, folder / "elsewhere");
        fs::create_symlink(folder / "elsewhere", newest);
    }
    SUBCASE("a file is a pipe") {
        fs::remove(newest / "state.json");
        REQUIRE(::mkfifo((newest / "state.json").c_str(), 0600) == 0);
    }
    SUBCASE("it is a file") {
        fs::remove_all(newest);
        folder.write(newest, "");
    }
    SUBCASE("it is another step's") {
        fs::remove_all(newest);
        fs::copy(folder / "checkpoints/step-00000200", newest);
    }
    SUBCASE("`latest` is empty") {
        folder.write("latest", "");
    }
    SUBCASE("`latest` is no name") {
        folder.write("latest", "../../etc\n");
    }
    SUBCASE("`latest` is a link") {
        fs::remove(folder / "latest");
        fs::create_symlink("/dev/zero", folder / "latest");
    }
    SUBCASE("`latest` names what is gone") {
        fs::remove_all(newest);
    }

    std::optional<FoundState> found = find_state(folder.path(), {});
    REQUIRE(found);
    CHECK(found->point.step >= 200);
    CHECK(is_whole(*found));
    REQUIRE(found->passed_over.size() == 1);
    CHECK(found->passed_over[0].starts_with(folder.path().string()));
    CHECK(refusal_of([&] { find_state(folder.path(), {.strict = true}); }) ==
          "9: " + found->passed_over[0]);

    // The training goes on from there, and comes to the step of the damaged one again.
    StatePlace place = SmallTraining::place(folder.path());
    place.resumed = found->point.step;
    StateWriter writer(place);
    save(writer, 250);
    writer.wait();
    CHECK(found_step(folder.path()) == 250);
    save(writer, 300);
    writer.wait();
    found = find_state(folder.path(), {.strict = true});
    REQUIRE(found);
    CHECK(is_whole(*found));
    CHECK(states_in(folder.path()) == "step-00000100 step-00000200 step-00000250 step-00000300");
}

TEST_CASE("where all states are damaged a training does not begin anew in silence") {
    TemporaryFolder folder;
    save_three(folder.path());
    for (const char* step : {"100", "200", "300"})
        fs::remove(folder / fmt::format("checkpoints/step-00000{}/state.json", step));
    std::string what = refusal_of([&] { find_state(folder.path(), {}); });
    CHECK(what.starts_with("9: "));
    CHECK(what.ends_with("step-00000300: state.json is missing"));
}

TEST_CASE("a hostile manifest reads nothing outside its folder") {
    TemporaryFolder folder;
    save_three(folder.path());
    fs::path newest = folder / "checkpoints/step-00000300";
    StateManifest manifest = find_state(folder.path(), {})->manifest;
    auto damage_of = [&](const FileRecord& file) {
        StateManifest changed = manifest;
        changed.files.push_back(file);
        folder.write(newest / "manifest.json", manifest_text(changed));
        return find_state(folder.path(), {})->passed_over.at(0);
    };
    std::string none(64, '0');
    CHECK(damage_of({"../../latest", 14, none, {}}).ends_with("names '../../latest'"));
    CHECK(damage_of({"..", 14, none, {}}).ends_with("names '..'"));
    CHECK(damage_of({"/etc/passwd", 14, none, {}}).ends_with("names '/etc/passwd'"));
    CHECK(damage_of({"state.json", 14, none, {}}).ends_with("names 'state.json'"));
    CHECK(damage_of({"more", std::uint64_t{1} << 62, none, {}}).ends_with("more is missing"));
}

TEST_CASE("a whole state that is not of this training is passed over") {
    TemporaryFolder folder;
    save_three(folder.path());
    std::vector<TensorInfo> model = SmallTraining::infos(SmallTraining::names()),
                            optimizer = SmallTraining::infos(SmallTraining::optimizer_names());
    auto refused = [&] {
        return refusal_of([&] {
            find_state(folder.path(), {.check = [&](const FoundState& found) {
                           StateTensors::open(found.folder).require(model, optimizer);
                       }});
        });
    };
    CHECK(refused() == "nothing");
    SUBCASE("a tensor is missing") {
        optimizer.push_back({"head.weight.master", Dtype::f32, {2}});
        CHECK(refused().ends_with("tensor 'head.weight.master' is missing"));
    }
    SUBCASE("a tensor is too many") {
        optimizer.pop_back();
        CHECK(refused().ends_with("tensor 'layers.0.up.weight.exp_avg_sq' belongs to nothing"));
    }
    SUBCASE("another shape") {
        model[0].shape = {5, 7};
        CHECK(refused().ends_with("tensor 'embed.weight' is F32 [7, 5], not F32 [5, 7]"));
    }
}

TEST_CASE("two parts make one state, in whichever order they come") {
    TemporaryFolder folder;
    auto write_part = [&](int part, int wait_ms) {
        StatePlace place = SmallTraining::place(folder.path());
        place.part = part;
        place.parts = 2;
        place.attempt = "a";
        StateWriter writer(place);
        for (std::int64_t step : {1, 2, 3}) {
            std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
            writer.write(SmallTraining(part, 2).share(step), SmallTraining::point(step));
        }
        writer.wait();
    };
    for (auto [first, second] : {std::pair{0, 30}, {30, 0}}) {
        std::thread other([&, late = second] { write_part(1, late); });
        write_part(0, first);
        other.join();
        std::optional<FoundState> found = find_state(folder.path(), {.strict = true});
        REQUIRE(found);
        CHECK(found->point.step == 3);
        CHECK(is_whole(*found));
        CHECK(states_in(folder.path()) == "step-00000001 step-00000002 step-00000003");
        fs::remove_all(folder / "checkpoints");
        fs::remove(folder / "latest");
    }
}

TEST_CASE("a part that does not come, or fails, ends the wait") {
    TemporaryFolder folder;
    StatePlace place = SmallTraining::place(folder.path());
    place.parts = 2;
    place.attempt = "a";
    SUBCASE("late") {
        place.patience = 0.05;
        StateWriter writer(place);
        writer.write(SmallTraining(0, 2).share(1), SmallTraining::point(1));
        CHECK(refusal_of([&] { writer.wait(); }) ==
              "7: part 1 of 2 of a state was not written within 0.05 s");
    }
    SUBCASE("given up") {
        StateWriter writer(place);
        writer.write(SmallTraining(0, 2).share(1), SmallTraining::point(1));
    }
    SUBCASE("failed") {
        StateWriter writer(place);
        place.part = 1;
        StateWriter other(place);
        StateShare share = SmallTraining(1, 2).share(1);
        share.model[0].make = [](const WriteBytes&) {
            throw Error({}, "no space").exit_code(kExitResource);
        };
        other.write(std::move(share), SmallTraining::point(1));
        writer.write(SmallTraining(0, 2).share(1), SmallTraining::point(1));
        CHECK(refusal_of([&] { writer.wait(); }) == "4: part 1 of a state: no space");
        CHECK(refusal_of([&] { other.wait(); }) == "4: no space");
    }
    CHECK(states_in(folder.path()).empty());
    CHECK_FALSE(find_state(folder.path(), {}));
}

TEST_CASE("the same tensor of two parts is a mistake, not a choice") {
    TemporaryFolder folder;
    StatePlace place = SmallTraining::place(folder.path());
    place.parts = 2;
    place.attempt = "a";
    StateWriter writer(place);
    place.part = 1;
    StateWriter other(place);
    other.write(SmallTraining().share(1), SmallTraining::point(1));
    writer.write(SmallTraining().share(1), SmallTraining::point(1));
    CHECK(refusal_of([&] { writer.wait(); }) ==
          "70: two parts of a state write tensor 'embed.weight'");
}

}  // namespace stillroom::lm
