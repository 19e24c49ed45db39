package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/ArtisanCloud/PowerSocialite/v3/src/providers"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/contract"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/messages"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/miniProgram"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/officialAccount"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/officialAccount/server/handlers/models"
)

var powerWeChat = client{
	module: "github.com/ArtisanCloud/PowerWeChat/v3",
	checks: []named{
		{"sign-in on a PC", powerOnPc},
		{"sign-in in WeChat", powerInWechat},
		{"followers and QR codes", powerOperate},
		{"login to the mini program, profile and phone number", powerMiniProgram},
	},
	serve: powerServe,
}

func powerAccount(of app, scopes ...string) (*officialAccount.OfficialAccount, error) {
	return officialAccount.NewOfficialAccount(&officialAccount.UserConfig{
		AppID: of.Appid, Secret: of.Secret, Token: of.Token, AESKey: of.EncodingAesKey,
		OAuth: officialAccount.OAuth{Callback: "http://localhost/callback", Scopes: scopes},
		Log:   officialAccount.Log{File: os.DevNull, Error: os.DevNull},
	})
}

// powerSignIn is the way of both sign-ins: the scope decides which page of WeChat the link leads to.
func powerSignIn(on, scope string, of app) (*providers.User, error) {
	oa, err := powerAccount(of, scope)
	if err != nil {
		return nil, err
	}
	oa.OAuth.SetScopes([]string{scope})
	code, err := signIn(on, func(callback string) (string, error) {
		return oa.OAuth.WithState("s-1").Redirect(callback)
	})
	if err != nil {
		return nil, err
	}
	return oa.OAuth.UserFromCode(code)
}

func powerOnPc() error {
	user, err := powerSignIn("pc", "snsapi_login", people.Site)
	if err != nil {
		return err
	}
	return same([]string{user.GetOpenID(), user.GetNickname()}, []string{people.Person.Openids.Site, people.Person.Nickname})
}

func powerInWechat() error {
	user, err := powerSignIn("wechat", "snsapi_userinfo", people.OfficialAccount)
	if err != nil {
		return err
	}
	return same(
		[]string{user.GetOpenID(), user.GetNickname()},
		[]string{people.Person.Openids.OfficialAccount, people.Person.Nickname},
	)
}

func powerOperate() error {
	if err := ask("/follow", map[string]string{}, &struct{}{}); err != nil {
		return err
	}
	oa, err := powerAccount(people.OfficialAccount)
	if err != nil {
		return err
	}
	openid := people.Person.Openids.OfficialAccount
	user, err := oa.User.Get(context.Background(), openid, "zh_CN")
	if err != nil {
		return err
	}
	all, err := oa.User.List(context.Background(), "")
	if err != nil {
		return err
	}
	code, err := oa.QRCode.Temporary(context.Background(), "shop", 60)
	if err != nil {
		return err
	}
	return errors.Join(
		same(user.UnionID, people.Person.Unionid), same(all.Data.OpenID, []string{openid}), same(code.Ticket != "", true),
	)
}

func powerMiniProgram() error {
	mini, err := miniProgram.NewMiniProgram(&miniProgram.UserConfig{
		AppID: people.MiniProgram.Appid, Secret: people.MiniProgram.Secret,
		Log: miniProgram.Log{File: os.DevNull, Error: os.DevNull},
	})
	if err != nil {
		return err
	}
	var login struct{ Code, EncryptedData, Iv string }
	var phone struct{ Code string }
	err = errors.Join(ask("/wx-login", map[string]string{}, &login), ask("/phone-number", map[string]string{}, &phone))
	if err != nil {
		return err
	}
	session, err := mini.Auth.Session(context.Background(), login.Code)
	if err != nil {
		return err
	}
	decrypted, refusal := mini.Encryptor.DecryptData(login.EncryptedData, session.SessionKey, login.Iv)
	if refusal != nil {
		return errors.New(refusal.ErrMsg)
	}
	var profile struct{ UnionId string }
	if err := json.Unmarshal(decrypted, &profile); err != nil {
		return err
	}
	number, err := mini.PhoneNumber.GetUserPhoneNumber(context.Background(), phone.Code)
	if err != nil {
		return err
	}
	return errors.Join(
		same(session.OpenID, people.Person.Openids.MiniProgram), same(profile.UnionId, people.Person.Unionid),
		same(number.PhoneInfo != nil && number.PhoneInfo.PhoneNumber != "", true),
	)
}

func powerAnswer(event contract.EventInterface) any {
	if event.GetMsgType() == "text" {
		said := models.MessageText{}
		if err := event.ReadMessage(&said); err != nil {
			return err.Error()
		}
		return messages.NewText("you said " + said.Content)
	}
	if event.GetEvent() == "subscribe" {
		return messages.NewText("welcome")
	}
	return nil
}

func powerServe() http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		oa, err := powerAccount(people.OfficialAccount)
		if err != nil {
			panic(err)
		}
		respond := func() (*http.Response, error) { return oa.Server.Notify(request, powerAnswer) }
		if request.Method == http.MethodGet {
			respond = func() (*http.Response, error) { return oa.Server.VerifyURL(request) }
		}
		response, err := respond()
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		io.Copy(writer, response.Body)
	}
}
