// Signs in and exchanges pushes with the client that the argument names.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime/debug"
)

// client is what is tried of one module: its checks, and a server for pushes that answers "welcome" and "you said …".
type client struct {
	module string
	checks []named
	serve  func() http.HandlerFunc
}

type named struct {
	what string
	work func() error
}

var clients = map[string]client{"silenceper-wechat": silenceper, "PowerWeChat": powerWeChat}

type app struct{ Appid, Secret, Token, EncodingAesKey string }

type world struct {
	Site, OfficialAccount, MiniProgram app
	Person                             struct {
		Nickname, Unionid string
		Openids           struct{ Site, OfficialAccount, MiniProgram string }
	}
}

type page struct {
	Status    int
	Url, Body string
}

type failure struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

var (
	worked = []string{}
	failed = []failure{}
	people world
)

// ask has the people of this run do something.
func ask(path string, body any, answer any) error {
	var response *http.Response
	var err error
	if body == nil {
		response, err = http.Get(os.Getenv("PEOPLE") + path)
	} else {
		sent, _ := json.Marshal(body)
		response, err = http.Post(os.Getenv("PEOPLE")+path, "application/json", bytes.NewReader(sent))
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func check(what string, work func() error) {
	if err := work(); err != nil {
		failed = append(failed, failure{what, err.Error()})
		return
	}
	worked = append(worked, what)
}

func same(got, wanted any) error {
	if reflect.DeepEqual(got, wanted) {
		return nil
	}
	return fmt.Errorf("%v is not %v", got, wanted)
}

// listen serves on a free port and says where.
func listen(handler http.HandlerFunc) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, handler)
	return fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
}

// signIn goes from a link to the callback; the code that arrived there.
func signIn(on string, link func(callback string) (string, error)) (string, error) {
	var origin string
	origin = listen(func(writer http.ResponseWriter, request *http.Request) {
		if code := request.URL.Query().Get("code"); code != "" {
			fmt.Fprint(writer, code)
			return
		}
		location, _ := link(origin + "/callback")
		http.Redirect(writer, request, location, http.StatusFound)
	})
	var end page
	err := ask("/sign-in", map[string]string{"on": on, "url": origin}, &end)
	return end.Body, err
}

func push(handler http.HandlerFunc, mode string) error {
	origin := listen(handler)
	var seen struct {
		Handshake struct{ Ok bool }
		Outcomes  []string
		Errors    []string
		Chat      []struct{ From, Text string }
	}
	if err := ask("/push", map[string]string{"url": origin, "mode": mode}, &seen); err != nil {
		return err
	}
	replies := []string{}
	for _, each := range seen.Chat {
		if each.From != "person" {
			replies = append(replies, each.Text)
		}
	}
	return errors.Join(
		same(seen.Handshake.Ok, true), same(replies, []string{"welcome", "you said 你好"}),
		same(seen.Outcomes, []string{"answered", "answered", "answered"}), same(seen.Errors, []string{}),
	)
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return ""
}

func main() {
	if err := ask("/", nil, &people); err != nil {
		panic(err)
	}
	tried := clients[os.Args[1]]
	for _, each := range tried.checks {
		check(each.what, each.work)
	}
	for _, mode := range []string{"plain", "compatible", "safe"} {
		check("pushes in "+mode+" mode", func() error { return push(tried.serve(), mode) })
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"client": tried.module, "version": version(tried.module), "worked": worked, "failed": failed, "broken": []failure{},
	})
}
