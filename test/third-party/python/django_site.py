"""A Django site in one file, with a database in memory."""

import django
from check import listen
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application


def set_up_site(apps, **more):
    """Configures Django; the script that runs says `urlpatterns` afterwards."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="a secret of more than thirty-two characters",
        ROOT_URLCONF="__main__",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:site?mode=memory&cache=shared"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            *apps,
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            *more.pop("MIDDLEWARE", []),
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        **more,
    )
    django.setup()


def serve_site():
    """Makes the tables and serves the site; where it is reached."""
    call_command("migrate", verbosity=0)
    return listen(get_wsgi_application())
