// node_network is the bench's CNI daemon, one on each node's own network. Once its node has a PodCIDR it writes
// containerd's network configuration, which makes the node Ready; then it keeps a route to each other node's pods.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount/"
	config  = "/etc/cni/net.d/10-bench.conflist"
	pause   = time.Second
)

type nodes struct {
	Items []struct {
		Metadata struct{ Name string }
		Spec     struct{ PodCIDR string }
		Status   struct{ Addresses []struct{ Type, Address string } }
	}
}

func main() {
	for last := ""; ; time.Sleep(pause) {
		// The same error is told once: the API server is away now and then.
		if err := converge(os.Getenv("NODE_NAME")); err == nil {
			last = ""
		} else if err.Error() != last {
			last = err.Error()
			fmt.Fprintln(os.Stderr, last)
		}
	}
}

func converge(self string) error {
	list, err := read()
	if err != nil {
		return err
	}
	for _, node := range list.Items {
		if node.Spec.PodCIDR == "" {
			continue
		}
		if node.Metadata.Name == self {
			err = writeConfig(node.Spec.PodCIDR)
		} else {
			for _, address := range node.Status.Addresses {
				if address.Type == "InternalIP" && net.ParseIP(address.Address).To4() != nil {
					err = route(node.Spec.PodCIDR, address.Address)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var client *http.Client

func read() (list nodes, err error) {
	if client == nil {
		authority, err := os.ReadFile(account + "ca.crt")
		if err != nil {
			return list, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(authority)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		client = &http.Client{Transport: transport, Timeout: 5 * time.Second}
	}
	token, err := os.ReadFile(account + "token") // read each time: it is renewed
	if err != nil {
		return list, err
	}
	// The Service's address works before any pod network does: kube-proxy needs none.
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequest("GET", "https://"+server+"/api/v1/nodes", nil)
	if err != nil {
		return list, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := client.Do(request)
	if err != nil {
		return list, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return list, fmt.Errorf("nodes: %s", answer.Status)
	}
	return list, json.NewDecoder(answer.Body).Decode(&list)
}

func writeConfig(subnet string) error {
	ipam := map[string]any{
		"type":    "host-local",
		"dataDir": "/run/cni-ipam-state",
		"ranges":  []any{[]any{map[string]string{"subnet": subnet}}},
		"routes":  []any{map[string]string{"dst": "0.0.0.0/0"}},
	}
	document := map[string]any{
		"cniVersion": "0.4.0",
		"name":       "bench",
		"plugins": []any{
			map[string]any{"type": "ptp", "ipMasq": true, "ipam": ipam},
			map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
	content, err := json.Marshal(document)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(config); err == nil && string(old) == string(content) {
		return nil
	}
	whole := filepath.Join(filepath.Dir(config), ".bench") // containerd must never read half of it
	if err := os.WriteFile(whole, content, 0o644); err != nil {
		return err
	}
	return os.Rename(whole, config)
}

func route(subnet, gateway string) error {
	_, to, err := net.ParseCIDR(subnet)
	if err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{Dst: to, Gw: net.ParseIP(gateway)})
}
