// CUDA graphs: work that is recorded on a stream of the GPU once and then launched as a whole. libtorch's CUDAGraph belongs
// to its GPU half, which is loaded at run time, where it is there at all. So its members are looked up by name, as the
// Itanium C++ ABI mangles them, and are called as that ABI calls members: as functions whose first argument is the object.
// Streams and events are there for all devices alike.

#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "caught.h"

namespace {

// at::cuda::MempoolId_t: where a graph has its memory from. Zeros are a pool of its own.
using Pool = std::pair<unsigned long long, unsigned long long>;

// cudaStreamCaptureModeThreadLocal: other threads may do what a thread that records must not, such as wait for the GPU.
constexpr unsigned ONLY_THIS_THREAD = 1;

// The members of at::cuda::CUDAGraph.
struct Members {
  void (*construct)(void *, bool keep_graph);
  void (*destroy)(void *);
  void (*capture_begin)(void *, Pool, unsigned mode);
  void (*capture_end)(void *);
  void (*replay)(void *);
  void (*reset)(void *);
};

template <typename F>
void find(F *&member, const char *name) {
  member = reinterpret_cast<F *>(dlsym(RTLD_DEFAULT, name));
  if (!member) throw std::runtime_error(std::string("no libtorch that records on a GPU is loaded: it has no ") + name);
}

Members find_all() {
  Members found{};
  find(found.construct, "_ZN2at4cuda9CUDAGraphC1Eb");
  find(found.destroy, "_ZN2at4cuda9CUDAGraphD1Ev");
  find(found.capture_begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
  find(found.capture_end, "_ZN2at4cuda9CUDAGraph11capture_endEv");
  find(found.replay, "_ZN2at4cuda9CUDAGraph6replayEv");
  find(found.reset, "_ZN2at4cuda9CUDAGraph5resetEv");
  return found;
}

const Members &members() {
  static const Members found = find_all();
  return found;
}

// An at::cuda::CUDAGraph. Its header needs those of CUDA, which are not everywhere, so that its size is not known: libtorch
// 2.11 has 104 bytes. Nothing may be written beyond half of what is kept for it.
class Graph {
public:
  explicit Graph(c10::Device device) : device_(device) {
    constexpr unsigned char untouched = 0xa5;
    object_.fill(untouched);
    c10::DeviceGuard guard(device);
    members().construct(object_.data(), /*keep_graph=*/false);
    auto is_untouched = [](unsigned char byte) { return byte == untouched; };
    if (!std::all_of(object_.begin() + object_.size() / 2, object_.end(), is_untouched)) {
      members().destroy(object_.data());
      throw std::logic_error("a CUDAGraph of this libtorch is larger than any that is known");
    }
  }

  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;

  ~Graph() {
    try {
      members().reset(object_.data());
      members().destroy(object_.data());
    } catch (const std::exception &) {
      // Its destructor would fail in the same way, and end the process. What it holds stays until that ends anyway.
    }
  }

  void begin() {
    c10::DeviceGuard guard(device_);
    members().capture_begin(object_.data(), Pool{0, 0}, ONLY_THIS_THREAD);
  }

  void end() {
    c10::DeviceGuard guard(device_);
    members().capture_end(object_.data());
  }

  void replay() { members().replay(object_.data()); }

private:
  c10::Device device_;
  alignas(std::max_align_t) std::array<unsigned char, 1024> object_;
};

// What knows the streams of this GPU.
const c10::impl::DeviceGuardImplInterface &streams_of(c10::Device device) {
  auto *streams = c10::impl::device_guard_impl_registry[static_cast<size_t>(device.type())].load();
  if (!streams || streams->deviceCount() <= device.index()) {
    throw std::runtime_error("there is no GPU " + std::to_string(device.index()) + " to record on");
  }
  return *streams;
}

c10::Device gpu(int8_t index) { return c10::Device(c10::DeviceType::CUDA, index); }

// The one stream of this GPU that recordings are made and replayed on. That it is one keeps them apart: what libraries keep
// for a stream, such as cuBLAS its work space, belongs to one of them at a time.
c10::Stream side_stream(c10::Device device) {
  static std::mutex lock;
  static std::map<c10::DeviceIndex, c10::Stream> known;
  std::lock_guard<std::mutex> guard(lock);
  auto found = known.find(device.index());
  if (found == known.end()) {
    found = known.emplace(device.index(), streams_of(device).getStreamFromGlobalPool(device)).first;
  }
  return found->second;
}

// Has `stream` wait until `other` has done what it was given so far. This thread does not wait.
void follow(c10::Stream stream, c10::Stream other) {
  c10::Event done(c10::DeviceType::CUDA);
  done.record(other);
  done.block(stream);
}

} // namespace

extern "C" {

// Fails where a member of CUDAGraph is not to be found.
char *rekindle_graph_find() {
  return caught([] { members(); });
}

// Has this thread give its work to the side stream, which waits for what the present one was given. Tells which that was.
char *rekindle_side_enter(int8_t index, int64_t *before) {
  return caught([&] {
    auto device = gpu(index);
    auto &streams = streams_of(device);
    auto present = streams.getStream(device);
    auto side = side_stream(device);
    follow(side, present);
    streams.exchangeStream(side);
    *before = present.id();
  });
}

// Has this thread give its work to the stream from before again, which waits for what the side stream was given.
char *rekindle_side_leave(int8_t index, int64_t before) {
  return caught([&] {
    auto device = gpu(index);
    c10::Stream present(c10::Stream::UNSAFE, device, before);
    streams_of(device).exchangeStream(present);
    follow(present, side_stream(device));
  });
}

// From here on, what this thread gives to its stream is recorded and not done. The stream is not the default one.
char *rekindle_graph_begin(int8_t index, Graph **graph) {
  return caught([&] {
    auto begun = std::make_unique<Graph>(gpu(index));
    begun->begin();
    *graph = begun.release();
  });
}

// Ends that. The graph can be replayed then.
char *rekindle_graph_end(Graph *graph) {
  return caught([&] { graph->end(); });
}

// Gives the stream of this thread what was recorded.
char *rekindle_graph_replay(Graph *graph) {
  return caught([&] { graph->replay(); });
}

// Forgets the recording, after all that the side stream was given is done, and gives its memory back.
char *rekindle_graph_drop(int8_t index, Graph *graph) {
  std::unique_ptr<Graph> dropped(graph);
  return caught([&] { streams_of(gpu(index)).synchronizeStream(side_stream(gpu(index))); });
}
}
