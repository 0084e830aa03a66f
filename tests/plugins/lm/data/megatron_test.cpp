// Every case of tests/reference/data/megatron.json, which make_megatron.py says how to read.

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/sha256.h"
#include "plugins/lm/data/samples.h"
#include "tests/plugins/lm/data/dataset_of.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

template <class T>
std::string_view bytes_of_all(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string short_hash(std::string_view bytes) {
    return sha256_hex(bytes).substr(0, 16);
}

std::string file_hash(const fs::path& path) {
    return short_hash(read_file(path, std::size_t{1} << 28));
}

const Json& reference() {
    static const Json kReference = Json::parse(
        read_file(fs::path(STILLROOM_REFERENCE) / "data/megatron.json", std::size_t{16} << 20));
    return kReference;
}

/// The token files that the script makes, made again by our writer.
class Files {
public:
    Files() {
        std::int64_t number = 0;
        for (const Json& file : reference().at("files").list()) {
            write(number, file.at("formula").list());
            CHECK(file_hash(path(number, ".idx")) == file.at("index").string());
            CHECK(file_hash(path(number, ".bin")) == file.at("tokens").string());
            ++number;
        }
    }

    Samples samples(const std::vector<Json>& files,
                    const std::vector<Json>& weights,
                    const SampleRequest& request) const {
        auto data = std::make_shared<DatasetFolder>();
        for (std::size_t i = 0; i < files.size(); ++i) {
            DatasetPart part;
            part.prefix = path(files[i].integer(), "");
            if (!weights.empty())
                part.weight = weights[i].number();
            data->parts.push_back(IndexedDataset::open(part.prefix));
            data->info.parts.push_back(part);
        }
        return Samples(data, request);
    }

private:
    fs::path path(std::int64_t number, const char* ending) const {
        return folder_ / ("f" + std::to_string(number) + ending);
    }

    void write(std::int64_t number, const std::vector<Json>& formula) {
        auto of = [&](std::size_t i) { return formula[i].integer(); };
        IndexedWriter writer(path(number, ""), TokenType::u16);
        std::int64_t at = 0;
        for (std::int64_t i = 0; i < of(3); ++i) {
            std::int64_t length = of(2) > 50 && i % 9 == 8 ? 0 : (of(0) * i + of(1)) % of(2);
            std::vector<std::uint32_t> ids;
            for (std::int64_t end = at + length; at < end; ++at)
                ids.push_back(static_cast<std::uint32_t>((at * 7 + number) % 1000));
            writer.add_document(ids);
        }
        writer.close();
    }

    TemporaryFolder folder_;
};

SampleRequest request_of(const Json& one, SplitPart part) {
    SampleRequest request;
    request.sequence = one.at("sequence").integer();
    request.seed = one.at("seed").integer();
    request.split = one.at("split").string();
    request.part = part;
    if (!one.at("samples").is_null())
        request.samples = one.at("samples").integer();
    return request;
}

std::string hash_of_tokens(const Samples& samples) {
    std::vector<std::int32_t> all, one(static_cast<std::size_t>(samples.sequence()) + 1);
    for (std::int64_t i = 0; i < std::min<std::int64_t>(samples.size(), 20); ++i) {
        samples.read(i, one, 1000);
        all.insert(all.end(), one.begin(), one.end());
        CHECK(samples.bounds(i).back() == samples.sequence() + 1);
    }
    return short_hash(bytes_of_all(all));
}

constexpr SplitPart kParts[] = {SplitPart::train, SplitPart::valid, SplitPart::test};

TEST_CASE("every array of GPTDataset is megatron-core's, to the last element") {
    Files files;
    int compared = 0;
    for (const Json& one : reference().at("single").list()) {
        for (SplitPart part : kParts) {
            const Json& wanted = one.at("parts").list()[static_cast<std::size_t>(part)];
            if (wanted.is_null() || wanted.at("size").integer() == 0)
                continue;
            CAPTURE(one.at("file").integer());
            CAPTURE(one.at("split").string());
            CAPTURE(one.at("sequence").integer());
            Samples samples = files.samples({one.at("file")}, {}, request_of(one, part));
            const GptIndices& indices = samples.parts().front().indices();
            CHECK(samples.size() == wanted.at("size").integer());
            CHECK(short_hash(bytes_of_all(indices.documents)) == wanted.at("documents").string());
            CHECK(short_hash(bytes_of_all(indices.narrow_starts)) == wanted.at("samples").string());
            CHECK(short_hash(bytes_of_all(indices.shuffled)) == wanted.at("shuffle").string());
            CHECK(hash_of_tokens(samples) == wanted.at("tokens").string());
            ++compared;
        }
    }
    CHECK(compared > 300);
}

TEST_CASE("every blend has megatron-core's order and tokens") {
    Files files;
    int compared = 0;
    for (const Json& one : reference().at("blends").list()) {
        for (SplitPart part : kParts) {
            const Json& wanted = one.at("parts").list()[static_cast<std::size_t>(part)];
            if (wanted.is_null() || wanted.at("size").integer() == 0)
                continue;
            CAPTURE(one.at("seed").integer());
            SampleRequest request = request_of(one, part);
            const Json& weights = one.at("weights");
            // Without weights the reference gives what there is; here more is refused.
            if (weights.is_null() && request.samples)
                request.samples = std::min(*request.samples, wanted.at("size").integer());
            Samples samples =
                files.samples(one.at("files").list(),
                              weights.is_null() ? std::vector<Json>() : weights.list(),
                              request);
            CHECK(samples.size() == wanted.at("size").integer());
            CHECK(short_hash(bytes_of_all(samples.order().dataset)) ==
                  wanted.at("dataset").string());
            CHECK(short_hash(bytes_of_all(samples.order().sample)) == wanted.at("sample").string());
            CHECK(hash_of_tokens(samples) == wanted.at("tokens").string());
            ++compared;
        }
    }
    CHECK(compared > 50);
}

}  // namespace
}  // namespace stillroom::lm
