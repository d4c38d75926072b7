// A small CRI client: what kubelet asks of containerd for a pod with one container, on the node's network.
//
//	cri run HANDLER IMAGE [ARGUMENT...]          to its end: prints its log, ends with its exit code
//	cri start NAME HANDLER IMAGE [ARGUMENT...]   and leave it running: prints its process id
//	cri state NAME                               prints RUNNING or EXITED and the process id
//	cri end NAME                                 stops and removes it
//	cri images                                   pulls nothing: names of the images that containerd's CRI service has
//
// HANDLER "-" is the node's default runtime. CRI_SOCKET names another socket.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	patience = 60 * time.Second
	logs     = "/run/cri-logs"
	parent   = "/bench.slice" // a name that both cgroup drivers take
)

type client struct {
	context.Context
	runtime cri.RuntimeServiceClient
	images  cri.ImageServiceClient
}

func main() {
	code, err := act(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "cri:", err)
		os.Exit(125)
	}
	os.Exit(code)
}

func act(words []string) (int, error) {
	socket := os.Getenv("CRI_SOCKET")
	if socket == "" {
		socket = "/run/containerd/containerd.sock"
	}
	link, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer link.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := client{ctx, cri.NewRuntimeServiceClient(link), cri.NewImageServiceClient(link)}
	switch {
	case len(words) >= 3 && words[0] == "run":
		return c.run(words[1], words[2], words[3:])
	case len(words) >= 4 && words[0] == "start":
		_, _, err = c.start(words[1], words[2], words[3], words[4:])
		if err != nil {
			return 0, err
		}
		return 0, c.state(words[1])
	case len(words) == 2 && words[0] == "state":
		return 0, c.state(words[1])
	case len(words) == 2 && words[0] == "end":
		return 0, c.end(words[1])
	case len(words) == 1 && words[0] == "images":
		return 0, c.list()
	}
	return 0, errors.New("see the head of main.go for its verbs")
}

// start makes the sandbox and the container in it, and starts that.
func (c client) start(name, handler, image string, arguments []string) (string, string, error) {
	if handler == "-" {
		handler = ""
	}
	// As kubelet has it for a pod on the node's network: each container has its own process 1.
	node := &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_CONTAINER}
	sandbox := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "bench"},
		LogDirectory: filepath.Join(logs, name),
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent:    parent,
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: node},
		},
	}
	request := &cri.RunPodSandboxRequest{Config: sandbox, RuntimeHandler: handler}
	made, err := c.runtime.RunPodSandbox(c, request)
	if err != nil { // kubelet tries again too
		sandbox.Metadata.Attempt++
		made, err = c.runtime.RunPodSandbox(c, request)
	}
	if err != nil {
		return "", "", fmt.Errorf("sandbox: %w", err)
	}
	container := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name},
		Image:    &cri.ImageSpec{Image: image},
		Args:     arguments,
		LogPath:  "log",
		Linux: &cri.LinuxContainerConfig{
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: node},
		},
	}
	within := &cri.CreateContainerRequest{PodSandboxId: made.PodSandboxId, Config: container, SandboxConfig: sandbox}
	created, err := c.runtime.CreateContainer(c, within)
	if err != nil {
		return made.PodSandboxId, "", fmt.Errorf("container: %w", err)
	}
	_, err = c.runtime.StartContainer(c, &cri.StartContainerRequest{ContainerId: created.ContainerId})
	return made.PodSandboxId, created.ContainerId, err
}

func (c client) run(handler, image string, arguments []string) (int, error) {
	name := fmt.Sprintf("run-%d", os.Getpid())
	sandbox, id, err := c.start(name, handler, image, arguments)
	if sandbox != "" {
		defer c.remove(sandbox)
	}
	if err != nil {
		return 0, err
	}
	for {
		status, err := c.runtime.ContainerStatus(c, &cri.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			return 0, err
		}
		if status.Status.State == cri.ContainerState_CONTAINER_EXITED {
			return int(status.Status.ExitCode), show(filepath.Join(logs, name, "log"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// show prints a log in CRI's format without time and stream.
func show(path string) error {
	text, err := os.ReadFile(path)
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			fmt.Println(fields[3])
		}
	}
	return err
}

func (c client) find(name string) (*cri.Container, error) {
	found, err := c.runtime.ListContainers(c, &cri.ListContainersRequest{})
	if err != nil {
		return nil, err
	}
	for _, one := range found.Containers {
		if one.Metadata.Name == name {
			return one, nil
		}
	}
	return nil, fmt.Errorf("there is no container %s", name)
}

func (c client) state(name string) error {
	one, err := c.find(name)
	if err != nil {
		return err
	}
	request := &cri.ContainerStatusRequest{ContainerId: one.Id, Verbose: true}
	status, err := c.runtime.ContainerStatus(c, request)
	if err != nil {
		return err
	}
	var info struct{ Pid int }
	if err := json.Unmarshal([]byte(status.Info["info"]), &info); err != nil {
		return err
	}
	fmt.Println(strings.TrimPrefix(status.Status.State.String(), "CONTAINER_"), info.Pid)
	return nil
}

func (c client) end(name string) error {
	one, err := c.find(name)
	if err != nil {
		return err
	}
	return c.remove(one.PodSandboxId)
}

func (c client) remove(sandbox string) error {
	if _, err := c.runtime.StopPodSandbox(c, &cri.StopPodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		return err
	}
	_, err := c.runtime.RemovePodSandbox(c, &cri.RemovePodSandboxRequest{PodSandboxId: sandbox})
	return err
}

func (c client) list() error {
	found, err := c.images.ListImages(c, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	for _, image := range found.Images {
		fmt.Println(strings.Join(image.RepoTags, " "), image.Pinned)
	}
	return nil
}
