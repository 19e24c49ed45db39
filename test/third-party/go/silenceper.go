package main

import (
	"errors"
	"net/http"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	miniConfig "github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"
)

var silenceper = client{
	module: "github.com/silenceper/wechat/v2",
	checks: []named{
		{"sign-in on a PC", onPc},
		{"sign-in in WeChat, refresh and verification of tokens", inWechat},
		{"followers and QR codes", operate},
		{"login to the mini program, profile and phone number", inMiniProgram},
	},
	serve: serve,
}

func account(of app) *officialaccount.OfficialAccount {
	return wechat.NewWechat().GetOfficialAccount(&config.Config{
		AppID: of.Appid, AppSecret: of.Secret, Token: of.Token, EncodingAESKey: of.EncodingAesKey, Cache: cache.NewMemory(),
	})
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

func inMiniProgram() error {
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

func serve() http.HandlerFunc {
	oa := account(people.OfficialAccount)
	return func(writer http.ResponseWriter, request *http.Request) {
		server := oa.GetServer(request, writer)
		server.SetMessageHandler(answer)
		if server.Serve() == nil {
			server.Send()
		}
	}
}
