// Signs in and exchanges pushes with github.com/silenceper/wechat.
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

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	miniConfig "github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"
)

const client = "github.com/silenceper/wechat/v2"

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

func account(of app) *officialaccount.OfficialAccount {
	return wechat.NewWechat().GetOfficialAccount(&config.Config{
		AppID: of.Appid, AppSecret: of.Secret, Token: of.Token, EncodingAESKey: of.EncodingAesKey, Cache: cache.NewMemory(),
	})
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

func onPc() error {
	oauth := account(people.Site).GetOauth()
	code, err := signIn("pc", func(callback string) (string, error) {
		return oauth.GetWebAppRedirectURL(callback, "snsapi_login", "s-1")
	})
	if err != nil {
		return err
	}
	token, err := oauth.GetUserAccessToken(code)
	if err != nil {
		return err
	}
	user, err := oauth.GetUserInfo(token.AccessToken, token.OpenID, "")
	return errors.Join(err, same(
		[]string{user.OpenID, user.Unionid, user.Nickname},
		[]string{people.Person.Openids.Site, people.Person.Unionid, people.Person.Nickname},
	))
}

func inWechat() error {
	oauth := account(people.OfficialAccount).GetOauth()
	code, err := signIn("wechat", func(callback string) (string, error) {
		return oauth.GetRedirectURL(callback, "snsapi_userinfo", "")
	})
	if err != nil {
		return err
	}
	token, err := oauth.GetUserAccessToken(code)
	if err != nil {
		return err
	}
	fresh, err := oauth.RefreshAccessToken(token.RefreshToken)
	if err != nil {
		return err
	}
	valid, err := oauth.CheckAccessToken(fresh.AccessToken, fresh.OpenID)
	return errors.Join(err, same(valid, true), same(fresh.OpenID, people.Person.Openids.OfficialAccount))
}

func operate() error {
	if err := ask("/follow", map[string]string{}, &struct{}{}); err != nil {
		return err
	}
	oa := account(people.OfficialAccount)
	openid := people.Person.Openids.OfficialAccount
	user, err := oa.GetUser().GetUserInfo(openid)
	if err != nil {
		return err
	}
	all, err := oa.GetUser().ListAllUserOpenIDs()
	if err != nil {
		return err
	}
	ticket, err := oa.GetBasic().GetQRTicket(basic.NewLimitQrRequest("shop"))
	if err != nil {
		return err
	}
	return errors.Join(
		same(user.UnionID, people.Person.Unionid), same(all, []string{openid}), same(ticket.Ticket != "", true),
	)
}

func miniProgram() error {
	mini := wechat.NewWechat().GetMiniProgram(&miniConfig.Config{
		AppID: people.MiniProgram.Appid, AppSecret: people.MiniProgram.Secret, Cache: cache.NewMemory(),
	})
	var login struct{ Code, EncryptedData, Iv string }
	var phone struct{ Code string }
	err := errors.Join(ask("/wx-login", map[string]string{}, &login), ask("/phone-number", map[string]string{}, &phone))
	if err != nil {
		return err
	}
	session, err := mini.GetAuth().Code2Session(login.Code)
	if err != nil {
		return err
	}
	profile, err := mini.GetEncryptor().Decrypt(session.SessionKey, login.EncryptedData, login.Iv)
	if err != nil {
		return err
	}
	number, err := mini.GetAuth().GetPhoneNumber(phone.Code)
	if err != nil {
		return err
	}
	return errors.Join(
		same(session.OpenID, people.Person.Openids.MiniProgram), same(profile.UnionID, people.Person.Unionid),
		same(number.PhoneInfo.PhoneNumber != "", true),
	)
}

func answer(msg *message.MixMessage) *message.Reply {
	text := "you said " + msg.Content
	if msg.MsgType == message.MsgTypeEvent {
		if msg.Event != message.EventSubscribe {
			return nil
		}
		text = "welcome"
	}
	return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText(text)}
}

func push(mode string) error {
	oa := account(people.OfficialAccount)
	origin := listen(func(writer http.ResponseWriter, request *http.Request) {
		server := oa.GetServer(request, writer)
		server.SetMessageHandler(answer)
		if server.Serve() == nil {
			server.Send()
		}
	})
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

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == client {
			return module.Version
		}
	}
	return ""
}

func main() {
	if err := ask("/", nil, &people); err != nil {
		panic(err)
	}
	check("sign-in on a PC", onPc)
	check("sign-in in WeChat, refresh and verification of tokens", inWechat)
	check("followers and QR codes", operate)
	check("login to the mini program, profile and phone number", miniProgram)
	for _, mode := range []string{"plain", "compatible", "safe"} {
		check("pushes in "+mode+" mode", func() error { return push(mode) })
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"client": client, "version": version(), "worked": worked, "failed": failed, "broken": []failure{},
	})
}
