// Writes to standard output how the built-in kinds look in Kubernetes' protobuf form: for each message its fields'
// numbers, JSON names and types, read from the struct tags of k8s.io/api (Apache-2.0) by reflection.
//
//	cd scripts/kubernetes-protobuf && go run -mod=mod . > ../../aks_wasm/emulator/cluster/protobuf.json
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// field is [number, JSON name ("" when its fields stand in the owner's place), type, "z" when a zero value is left out].
type field [4]any

var messages = map[string][]field{}

var roots = []any{
	v1.Deployment{}, v1.ReplicaSet{}, v1.DaemonSet{}, v1.StatefulSet{}, v1.ControllerRevision{},
	authenticationv1.TokenRequest{}, authenticationv1.TokenReview{}, authenticationv1.SelfSubjectReview{},
	authorizationv1.SelfSubjectAccessReview{}, authorizationv1.SelfSubjectRulesReview{},
	authorizationv1.SubjectAccessReview{}, authorizationv1.LocalSubjectAccessReview{},
	autoscalingv1.Scale{}, autoscalingv2.HorizontalPodAutoscaler{}, batchv1.Job{}, batchv1.CronJob{},
	coordinationv1.Lease{}, corev1.Pod{}, corev1.Node{}, corev1.Namespace{}, corev1.Service{}, corev1.Endpoints{},
	corev1.ConfigMap{}, corev1.Secret{}, corev1.Event{}, corev1.ServiceAccount{}, corev1.PersistentVolume{},
	corev1.PersistentVolumeClaim{}, corev1.ResourceQuota{}, corev1.LimitRange{}, corev1.Binding{},
	discoveryv1.EndpointSlice{}, eventsv1.Event{}, networkingv1.Ingress{}, networkingv1.IngressClass{},
	networkingv1.NetworkPolicy{}, nodev1.RuntimeClass{}, policyv1.PodDisruptionBudget{}, policyv1.Eviction{},
	rbacv1.Role{}, rbacv1.RoleBinding{}, rbacv1.ClusterRole{}, rbacv1.ClusterRoleBinding{},
	schedulingv1.PriorityClass{}, storagev1.StorageClass{}, metav1.DeleteOptions{},
}

func main() {
	kinds := map[string]string{}
	for _, root := range roots {
		kind := reflect.TypeOf(root)
		path := strings.Split(kind.PkgPath(), "/")
		kinds[path[len(path)-2]+"/"+path[len(path)-1]+"/"+kind.Name()] = described(kind)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]any{
		"source":   "struct tags of the Go module k8s.io/api v0.35.0, Apache-2.0; made by scripts/kubernetes-protobuf",
		"kinds":    kinds,
		"messages": messages,
	})
}

func described(kind reflect.Type) string {
	name := strings.TrimPrefix(strings.TrimPrefix(kind.PkgPath(), "k8s.io/"), "api/") + "." + kind.Name()
	if _, known := messages[name]; known {
		return name
	}
	messages[name] = []field{}
	fields := []field{}
	for at := 0; at < kind.NumField(); at++ {
		member := kind.Field(at)
		tag := member.Tag.Get("protobuf")
		if tag == "" {
			continue
		}
		number, _ := strconv.Atoi(strings.Split(tag, ",")[1])
		wire := strings.Split(member.Tag.Get("json"), ",")
		zero := ""
		if member.Type.Kind() != reflect.Pointer && contains(wire[1:], "omitempty") {
			zero = "z"
		}
		fields = append(fields, field{number, wire[0], typed(member.Type), zero})
	}
	sort.Slice(fields, func(a, b int) bool { return fields[a][0].(int) < fields[b][0].(int) })
	messages[name] = fields
	return name
}

func typed(kind reflect.Type) string {
	switch kind.Name() {
	case "Quantity", "IntOrString", "Time", "MicroTime", "FieldsV1", "RawExtension":
		return strings.ToLower(kind.Name())
	}
	switch kind.Kind() {
	case reflect.Pointer:
		return typed(kind.Elem())
	case reflect.Slice:
		if kind.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + typed(kind.Elem())
	case reflect.Map:
		return "{}" + typed(kind.Elem())
	case reflect.Struct:
		return described(kind)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float64:
		return "number"
	default:
		return "integer"
	}
}

func contains(words []string, wanted string) bool {
	for _, word := range words {
		if word == wanted {
			return true
		}
	}
	return false
}
