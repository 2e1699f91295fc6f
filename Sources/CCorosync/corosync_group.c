#include "corosync_group.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define OK 1
#define DISPATCH_ALL 2
#define GUARANTEE_AGREED 2
#define MODEL_V1 1
#define WITH_INITIAL_RING 1
#define TRACK_CURRENT_AND_CHANGES 3
#define GROUP_NAME_BYTES 128
#define KEY_BYTES 256
#define QUORUM_IS_FREE 0
#define NOT_FOUND 12

typedef uint64_t handle;

struct group_name {
  uint32_t length;
  char value[GROUP_NAME_BYTES];
};
struct address {
  uint32_t node;
  uint32_t pid;
  uint32_t reason;
};
struct ring {
  uint32_t node;
  uint64_t sequence;
};

typedef void message_callback(
    handle, const struct group_name *, uint32_t node, uint32_t pid, void *bytes, size_t length);
typedef void members_callback(
    handle, const struct group_name *, const struct address *members, size_t member_count,
    const struct address *left, size_t left_count, const struct address *joined,
    size_t joined_count);
typedef void ring_callback(
    handle, struct ring, uint32_t node_count, const uint32_t *nodes);
typedef void quorum_callback(
    handle, uint32_t is_quorate, struct ring, uint32_t node_count, const uint32_t *nodes);
typedef void nodes_callback(
    handle, struct ring, uint32_t node_count, const uint32_t *nodes, uint32_t joined_count,
    const uint32_t *joined, uint32_t left_count, const uint32_t *left);

struct group_model {
  int model;
  message_callback *message;
  members_callback *members;
  ring_callback *ring;
  unsigned int flags;
};
struct quorum_model {
  int model;
  quorum_callback *quorum;
  nodes_callback *nodes;
};

static struct {
  int (*group_initialize)(handle *, int model, void *model_data, void *context);
  int (*group_finalize)(handle);
  int (*group_descriptor)(handle, int *);
  int (*group_context)(handle, void **);
  int (*group_dispatch)(handle, int flags);
  int (*group_join)(handle, const struct group_name *);
  int (*group_leave)(handle, const struct group_name *);
  int (*group_multicast)(handle, int guarantee, const struct iovec *, unsigned int count);
  int (*group_local_node)(handle, unsigned int *);
  int (*quorum_initialize)(handle *, int model, void *model_data, uint32_t *type, void *context);
  int (*quorum_finalize)(handle);
  int (*quorum_descriptor)(handle, int *);
  int (*quorum_context)(handle, const void **);
  int (*quorum_dispatch)(handle, int flags);
  int (*quorum_track)(handle, unsigned int flags);
  int (*map_initialize)(handle *);
  int (*map_finalize)(handle);
  int (*map_number)(handle, const char *key, uint32_t *);
  int (*map_text)(handle, const char *key, char **);
  int (*map_iterate)(handle, const char *prefix, handle *iteration);
  int (*map_next)(handle, handle iteration, char key[], size_t *length, int *type);
  int (*map_end)(handle, handle iteration);
} library;

struct corosync_group {
  handle membership;
  handle quorum;
  uint32_t local_node;
  uint32_t quorum_type;
  const struct corosync_listener *listener;
};

static int result_of(int error) { return error == OK ? 0 : error; }

// MARK: - Libraries

static const char *load(const char *file, const char *const names[], void **functions[]) {
  static char problem[256];
  void *opened = dlopen(file, RTLD_NOW | RTLD_LOCAL);

  if (opened == NULL) {
    snprintf(problem, sizeof(problem), "%s", dlerror());
    return problem;
  }
  for (size_t index = 0; names[index] != NULL; index++) {
    *functions[index] = dlsym(opened, names[index]);
    if (*functions[index] == NULL) {
      snprintf(problem, sizeof(problem), "%s has no %s: corosync 3.1 or newer is needed", file,
               names[index]);
      return problem;
    }
  }
  return NULL;
}

#define SLOT(field) (void **)&library.field

const char *corosync_load_libraries(void) {
  static const char *const group_names[] = {
      "cpg_model_initialize", "cpg_finalize", "cpg_fd_get", "cpg_context_get", "cpg_dispatch",
      "cpg_join", "cpg_leave", "cpg_mcast_joined", "cpg_local_get", NULL};
  static const char *const quorum_names[] = {
      "quorum_model_initialize", "quorum_finalize", "quorum_fd_get", "quorum_context_get",
      "quorum_dispatch", "quorum_trackstart", NULL};
  static const char *const map_names[] = {
      "cmap_initialize", "cmap_finalize", "cmap_get_uint32", "cmap_get_string", "cmap_iter_init",
      "cmap_iter_next", "cmap_iter_finalize", NULL};
  void **group_functions[] = {
      SLOT(group_initialize), SLOT(group_finalize), SLOT(group_descriptor), SLOT(group_context),
      SLOT(group_dispatch), SLOT(group_join), SLOT(group_leave), SLOT(group_multicast),
      SLOT(group_local_node)};
  void **quorum_functions[] = {
      SLOT(quorum_initialize), SLOT(quorum_finalize), SLOT(quorum_descriptor),
      SLOT(quorum_context), SLOT(quorum_dispatch), SLOT(quorum_track)};
  void **map_functions[] = {
      SLOT(map_initialize), SLOT(map_finalize), SLOT(map_number), SLOT(map_text),
      SLOT(map_iterate), SLOT(map_next), SLOT(map_end)};
  const char *problem = load("libcpg.so.4", group_names, group_functions);

  if (problem == NULL) problem = load("libquorum.so.5", quorum_names, quorum_functions);
  if (problem == NULL) problem = load("libcmap.so.4", map_names, map_functions);
  return problem;
}

// MARK: - What corosync tells

static const struct corosync_listener *membership_listener(handle membership) {
  void *context = NULL;

  if (library.group_context(membership, &context) != OK) return NULL;
  return ((struct corosync_group *)context)->listener;
}

static void told_message(
    handle membership, const struct group_name *name, uint32_t node, uint32_t pid, void *bytes,
    size_t length) {
  const struct corosync_listener *listener = membership_listener(membership);
  struct corosync_process sender = {node, pid};

  (void)name;
  if (listener != NULL) listener->message(listener->context, sender, bytes, length);
}

static void told_members(
    handle membership, const struct group_name *name, const struct address *members,
    size_t member_count, const struct address *left, size_t left_count,
    const struct address *joined, size_t joined_count) {
  const struct corosync_listener *listener = membership_listener(membership);
  struct corosync_process *processes = calloc(member_count + 1, sizeof(*processes));

  (void)name;
  (void)left;
  (void)left_count;
  (void)joined;
  (void)joined_count;
  if (listener != NULL && processes != NULL) {
    for (size_t index = 0; index < member_count; index++) {
      processes[index].node = members[index].node;
      processes[index].pid = members[index].pid;
    }
    listener->members(listener->context, processes, member_count);
  }
  free(processes);
}

static void told_ring(
    handle membership, struct ring ring, uint32_t node_count, const uint32_t *nodes) {
  const struct corosync_listener *listener = membership_listener(membership);

  (void)node_count;
  (void)nodes;
  if (listener != NULL) listener->ring(listener->context, ring.node, ring.sequence);
}

static void told_quorum(
    handle quorum, uint32_t is_quorate, struct ring ring, uint32_t node_count,
    const uint32_t *nodes) {
  const void *context = NULL;
  const struct corosync_listener *listener;

  (void)node_count;
  (void)nodes;
  if (library.quorum_context(quorum, &context) != OK) return;
  listener = ((const struct corosync_group *)context)->listener;
  if (listener != NULL) {
    listener->quorum(listener->context, is_quorate != 0, ring.node, ring.sequence);
  }
}

static void told_nodes(
    handle quorum, struct ring ring, uint32_t node_count, const uint32_t *nodes,
    uint32_t joined_count, const uint32_t *joined, uint32_t left_count, const uint32_t *left) {
  (void)quorum;
  (void)ring;
  (void)node_count;
  (void)nodes;
  (void)joined_count;
  (void)joined;
  (void)left_count;
  (void)left;
}

// MARK: - Connection

static void *failed(struct corosync_group *group, int result, int *error, const char **service,
                    const char *name) {
  *error = result;
  *service = name;
  corosync_group_close(group);
  return NULL;
}

struct corosync_group *corosync_group_connect(int *error, const char **service) {
  struct group_model group_model = {
      MODEL_V1, told_message, told_members, told_ring, WITH_INITIAL_RING};
  struct quorum_model quorum_model = {MODEL_V1, told_quorum, told_nodes};
  struct corosync_group *group = calloc(1, sizeof(*group));
  int result;

  if (group == NULL) abort();
  result = library.group_initialize(&group->membership, MODEL_V1, &group_model, group);
  if (result != OK) {
    group->membership = 0;
    return failed(group, result, error, service, "cpg");
  }
  result = library.group_local_node(group->membership, &group->local_node);
  if (result != OK) return failed(group, result, error, service, "cpg");
  result = library.quorum_initialize(
      &group->quorum, MODEL_V1, &quorum_model, &group->quorum_type, group);
  if (result != OK) {
    group->quorum = 0;
    return failed(group, result, error, service, "quorum");
  }
  result = library.quorum_track(group->quorum, TRACK_CURRENT_AND_CHANGES);
  if (result != OK) return failed(group, result, error, service, "quorum");
  return group;
}

void corosync_group_close(struct corosync_group *group) {
  if (group->quorum != 0) library.quorum_finalize(group->quorum);
  if (group->membership != 0) library.group_finalize(group->membership);
  free(group);
}

uint32_t corosync_group_local_node(const struct corosync_group *group) {
  return group->local_node;
}

int corosync_group_has_quorum(const struct corosync_group *group) {
  return group->quorum_type != QUORUM_IS_FREE;
}

// MARK: - Configuration

int corosync_group_configured_nodes(uint32_t *ids, size_t capacity, size_t *count) {
  handle map, iteration;
  char key[KEY_BYTES + 1];
  size_t length;
  int type, result = library.map_initialize(&map);

  *count = 0;
  if (result != OK) return result;
  result = library.map_iterate(map, "nodelist.node.", &iteration);
  if (result == OK) {
    while (library.map_next(map, iteration, key, &length, &type) == OK) {
      const char *field = strrchr(key, '.');
      uint32_t id;
      if (field == NULL || strcmp(field, ".nodeid") != 0) continue;
      result = library.map_number(map, key, &id);
      if (result != OK) break;
      if (*count < capacity) ids[*count] = id;
      (*count)++;
    }
    library.map_end(map, iteration);
  }
  library.map_finalize(map);
  return result_of(result);
}

int corosync_group_cluster_name(char *name, size_t size) {
  handle map;
  char *text = NULL;
  int result = library.map_initialize(&map);

  name[0] = 0;
  if (result != OK) return result;
  result = library.map_text(map, "totem.cluster_name", &text);
  if (result == OK) snprintf(name, size, "%s", text);
  free(text);
  library.map_finalize(map);
  return result == NOT_FOUND ? 0 : result_of(result);
}

// MARK: - The group

static int named(struct group_name *group_name, const char *name) {
  size_t length = strlen(name);

  if (length > GROUP_NAME_BYTES) return 0;
  memset(group_name, 0, sizeof(*group_name));
  memcpy(group_name->value, name, length);
  group_name->length = (uint32_t)length;
  return 1;
}

int corosync_group_join(struct corosync_group *group, const char *name) {
  struct group_name group_name;

  if (!named(&group_name, name)) return NOT_FOUND;
  return result_of(library.group_join(group->membership, &group_name));
}

int corosync_group_leave(struct corosync_group *group, const char *name) {
  struct group_name group_name;

  if (!named(&group_name, name)) return NOT_FOUND;
  return result_of(library.group_leave(group->membership, &group_name));
}

int corosync_group_multicast(struct corosync_group *group, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};

  return result_of(library.group_multicast(group->membership, GUARANTEE_AGREED, &part, 1));
}

int corosync_group_membership_descriptor(const struct corosync_group *group) {
  int descriptor;

  return library.group_descriptor(group->membership, &descriptor) == OK ? descriptor : -1;
}

int corosync_group_quorum_descriptor(const struct corosync_group *group) {
  int descriptor;

  return library.quorum_descriptor(group->quorum, &descriptor) == OK ? descriptor : -1;
}

int corosync_group_dispatch(
    struct corosync_group *group, const struct corosync_listener *listener) {
  int result;

  group->listener = listener;
  result = library.group_dispatch(group->membership, DISPATCH_ALL);
  if (result == OK || result == COROSYNC_TRY_AGAIN) {
    int quorum_result = library.quorum_dispatch(group->quorum, DISPATCH_ALL);
    if (quorum_result != COROSYNC_TRY_AGAIN) result = quorum_result;
  }
  group->listener = NULL;
  return result == COROSYNC_TRY_AGAIN ? 0 : result_of(result);
}
