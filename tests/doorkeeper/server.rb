# A Rails application that serves OAuth 2.0 through Doorkeeper, with the tables that Doorkeeper's
# own migrations make. Reads one line of JSON (database, secret, lifetime, revoke_on_use), prints
# {"url": …} and ends when its standard input does.

require "erb"
require "json"

GIVEN = JSON.parse($stdin.gets)
Thread.new { $stdin.read; exit!(0) }

ENV["RAILS_ENV"] = "production"
ENV["DATABASE_URL"] = "sqlite3:#{GIVEN["database"]}?pool=32&timeout=10000"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"
require "doorkeeper"
require "rack/handler/webrick"

# Answers wait as long as this file exists: what was done is then known to the server alone.
HOLD = "#{GIVEN["database"]}.hold"

class HeldAnswers
  def initialize(app)
    @app = app
  end

  def call(env)
    answer = @app.call(env)
    sleep 0.02 while File.exist?(HOLD)
    answer
  end
end

class Application < Rails::Application
  config.logger = ActiveSupport::Logger.new($stderr, level: :info)
  config.log_level = :info
  config.eager_load = false
  config.secret_key_base = SecureRandom.hex(64)
  config.hosts.clear
  config.allow_concurrency = false # SQLite has one writer
  config.middleware.insert_before 0, HeldAnswers
end

class User < ActiveRecord::Base
end

# What was asked of the server, and its answer.
class Visit < ActiveRecord::Base
end

Doorkeeper.configure do
  orm :active_record
  resource_owner_authenticator do
    User.find_by(id: session[:user]) || begin
      session[:return_to] = request.fullpath
      redirect_to "/login"
    end
  end
  access_token_expires_in GIVEN["lifetime"]
  use_refresh_token
  grant_flows %w[authorization_code client_credentials]
  default_scopes :read
  optional_scopes :write
  enforce_configured_scopes
  force_ssl_in_redirect_uri false
  # As a strict server does it: each client in the one way that it is registered for.
  credentials = Doorkeeper::OAuth::Client::Credentials
  client_credentials(
    ->(request) { (found = credentials.from_basic(request))&.first == "basic" ? found : nil },
    ->(request) { (found = credentials.from_params(request)).first == "basic" ? nil : found }
  )
end

def migrate(name, klass)
  folder = File.join(Gem.loaded_specs["doorkeeper"].full_gem_path,
                     "lib/generators/doorkeeper/templates")
  migration_version = "[6.1]"
  eval ERB.new(File.read("#{folder}/#{name}.erb")).result(binding), TOPLEVEL_BINDING
  Object.const_get(klass).migrate(:up)
end

def make_tables
  %w[journal_mode=WAL synchronous=OFF].each do |pragma|
    ActiveRecord::Base.connection.execute("PRAGMA #{pragma}")
  end
  ActiveRecord::Migration.verbose = false
  migrate "migration.rb", :CreateDoorkeeperTables
  migrate "enable_pkce_migration.rb", :EnablePkce
  ActiveRecord::Schema.define do
    create_table(:users) { |t| t.string :name }
    create_table(:visits) do |t|
      t.string :path
      t.string :grant_type
      t.integer :status
    end
    remove_column :oauth_access_tokens, :previous_refresh_token unless GIVEN["revoke_on_use"]
  end
end

def make_clients
  %w[basic post public].each do |name|
    Doorkeeper::Application.create!(
      name: "The #{name} client", uid: name, secret: GIVEN["secret"], scopes: "read write",
      redirect_uri: "https://localhost/#{name}", confidential: name != "public"
    )
  end
end

class SessionsController < ActionController::Base
  FORM = <<~HTML.freeze
    <form method="post" action="/login"><input type="hidden" name="authenticity_token"
    value="<%= form_authenticity_token %>"><input name="login"><input name="password"
    type="password"><button id="login">Log in</button></form>
  HTML

  def new
    render inline: FORM
  end

  def create
    return render inline: FORM, status: 403 unless params[:password] == "x"

    back = session[:return_to] || "/"
    reset_session
    session[:user] = User.find_or_create_by!(name: params[:login]).id
    redirect_to back
  end
end

class ApiController < ActionController::Base
  before_action { doorkeeper_authorize! :read }

  def me
    render json: { user: User.find_by(id: doorkeeper_token.resource_owner_id)&.name,
                   client: doorkeeper_token.application.uid }
  end
end

def record_visits
  ActiveSupport::Notifications.subscribe("process_action.action_controller") do |*, facts|
    Visit.create!(path: facts[:path].partition("?").first, status: facts[:status],
                  grant_type: facts[:params]["grant_type"])
  end
end

Application.initialize!
make_tables
Application.routes.draw do
  use_doorkeeper { skip_controllers :applications }
  get "/login", to: "sessions#new"
  post "/login", to: "sessions#create"
  get "/api/me", to: "api#me"
end
make_clients
record_visits

Rack::Handler::WEBrick.run(Application, Host: "127.0.0.1", Port: 0, AccessLog: [],
                           Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN)) do |server|
  puts JSON.generate(url: "http://127.0.0.1:#{server.listeners.first.addr[1]}")
  $stdout.flush
end
