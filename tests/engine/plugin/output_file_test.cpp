#include "engine/plugin/output_file.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/plugin/stage.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <cstdlib>

namespace {

using namespace stillroom;
namespace fs = std::filesystem;

struct Listener final : RunContext {
    std::string said;

    void hashed(const fs::path& file, std::uint64_t size, const std::string& digest) override {
        said = file.filename().string() + " " + std::to_string(size) + " " + digest;
    }

    bool has(std::string_view) const override { return false; }
    fs::path input(std::string_view) const override { return {}; }
    std::vector<fs::path> inputs(std::string_view) const override { return {}; }
    fs::path output(std::string_view) const override { return {}; }
    bool given(std::string_view) const override { return false; }
    bool offline() const override { return true; }
    void log(LogLevel, std::string_view) override {}
    fs::path work() const override { return {}; }
    const Rank& rank() const override { return alone; }
    int threads() const override { return 1; }
    const std::string& device() const override { return cpu; }
    void progress(double, std::string_view) override {}
    void metric(std::string_view, double, std::int64_t) override {}
    void text(std::string_view) override {}
    bool cancelled() const override { return false; }
    void saved() override {}
    std::string decided(std::string_view, const std::function<std::string()>&) override {
        return {};
    }
    void bind(std::string_view, const fs::path&, const std::vector<std::string>&) override {}
    void reads(const fs::path&) override {}
    void gate(std::string_view) override {}

    Rank alone;
    std::string cpu = "cpu";
};

std::string bytes_of_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
}

TEST_CASE("a file that was hashed while it was written has the digest of its chunks") {
    TemporaryFolder folder;
    Listener context;
    std::string piece;
    for (int i = 0; i < 1'000'003; ++i)
        piece += static_cast<char>(i * 31 % 251);
    std::string whole;
    OutputFile file(context, folder.path() / "big.bin");
    for (int i = 0; i < 19; ++i) {
        file.write(piece);
        whole += piece;
    }
    CHECK(file.size() == whole.size());
    file.close();
    CHECK(read_file(folder.path() / "big.bin", whole.size()) == whole);
    std::string hashes;
    for (std::size_t at = 0; at < whole.size(); at += kDigestChunk)
        hashes += bytes_of_hex(sha256_hex(std::string_view(whole).substr(at, kDigestChunk)));
    CHECK(hashes.size() == 3 * 32);
    CHECK(context.said == "big.bin 19000057 " + sha256_hex(hashes));
}

TEST_CASE("an empty file has no chunk") {
    TemporaryFolder folder;
    Listener context;
    OutputFile(context, folder.path() / "empty").close();
    CHECK(context.said == "empty 0 " + sha256_hex(""));
}

TEST_CASE("a file that was not closed is gone, and says nothing") {
    TemporaryFolder folder;
    Listener context;
    { OutputFile(context, folder.path() / "half").write("abc"); }
    CHECK(context.said.empty());
    CHECK_FALSE(fs::exists(folder.path() / "half"));
}

TEST_CASE("what is there already, or cannot be written, ends the work as a lack of resources") {
    TemporaryFolder folder;
    Listener context;
    write_file(folder.path() / "there", "mine");
    try {
        OutputFile(context, folder.path() / "there");
        FAIL("it was opened");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitResource);
    }
    CHECK(read_file(folder.path() / "there", 10) == "mine");
    {
        fs::create_directory(folder.path() / "at");
        CHECK_THROWS_AS(OutputFile(context, folder.path() / "at" / "no" / "folder"), Error);
    }
}

}  // namespace
